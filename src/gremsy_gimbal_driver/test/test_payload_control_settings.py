# SPDX-License-Identifier: Apache-2.0
"""The table of settings against the vendor's headers, family by family."""

from __future__ import annotations

import pytest

from gremsy_gimbal_driver.payload.payload_requests import GIMBAL_MODE_PARAMETER
from gremsy_gimbal_driver.payload.payload_settings import SETTINGS, ProductFamily, SettingError, find_setting

VIO, ZIO, ORUS_L, MB1 = ProductFamily.VIO, ProductFamily.ZIO, ProductFamily.ORUS_L, ProductFamily.MB1


@pytest.mark.parametrize(
    ('family', 'name', 'choice', 'parameter', 'value'),
    [
        (VIO, 'view_source', 'eo_ir', 'C_SOURCE', 0),
        (VIO, 'view_source', 'ir_eo', 'C_SOURCE', 3),
        (VIO, 'view_source', 'side_by_side', 'C_SOURCE', 6),
        (MB1, 'view_source', 'sync', 'C_SOURCE', 4),
        (ORUS_L, 'record_source', 'osd', 'C_V_REC', 5),
        (VIO, 'osd', 'status', 'OSD_MODE', 2),
        (VIO, 'ir_palette', '9', 'C_T_PALETTE', 9),
        (VIO, 'lrf_mode', 'off', 'LRF_MODE', 3),
        (VIO, 'lrf_mode', '1hz', 'LRF_MODE', 0),
        (ORUS_L, 'lrf_mode', '4hz', 'LRF_MODE', 1),
        (ORUS_L, 'lrf_mode', '10hz', 'LRF_MODE', 2),
        (VIO, 'zoom_mode', 'super_resolution', 'C_V_ZM_MODE', 2),
        (VIO, 'combined_zoom', '240x', 'C_V_ZM_CB_LV', 21),
        (VIO, 'combined_zoom', '20x', 'C_V_ZM_CB_LV', 10),
        (ORUS_L, 'combined_zoom', '240x', 'C_V_ZM_CB_LV', 6),
        (ZIO, 'combined_zoom', '80x', 'C_V_ZM_CB_LV', 4),
        (VIO, 'super_resolution_zoom', '30x', 'C_V_ZM_SR_LV', 11),
        (ORUS_L, 'super_resolution_zoom', '30x', 'C_V_ZM_SR_LV', 15),
        (VIO, 'ir_zoom', '8x', 'C_T_ZOOM', 7),
        (MB1, 'zoom', '12x', 'C_V_ZOOM', 11),
        (VIO, 'focus_mode', 'zoom_trigger', 'C_V_FM', 1),
        (VIO, 'focus_value', '61440', 'C_V_FV', 61440),
        (VIO, 'rc_mode', 'standard', 'RC_MODE', 1),
        (MB1, 'flag_forwarding', 'on', 'GB_FW_FLAG', 1),
        (VIO, 'defog', 'on', 'C_V_DEFOG', 2),
        (ZIO, 'defog', 'on', 'C_V_DEFOG', 1),
        (VIO, 'exposure', 'gain', 'C_V_AE', 14),
    ],
)
def test_names_and_words_lead_to_the_vendors_parameters_and_values(family, name, choice, parameter, value):
    setting = find_setting(family, name)
    assert (setting.parameter, setting.value(choice)) == (parameter, value)
    assert setting.word(value) == choice


@pytest.mark.parametrize(
    ('family', 'name', 'choice', 'sentence'),
    [
        (
            MB1,
            'view_source',
            'side_by_side',
            "'view_source' cannot be 'side_by_side': use one of eo_ir, eo, ir, ir_eo, sync",
        ),
        (VIO, 'ir_palette', '10', "'ir_palette' cannot be '10': use 0 .. 9"),
        (VIO, 'focus_value', '15', "'focus_value' cannot be '15': use 0 .. 61440 in steps of 10"),
        (VIO, 'lrf_mode', '', "'lrf_mode' cannot be '': use one of off, 1hz, 4hz, 10hz"),
        (VIO, 'zoom_speed', '-1', "'zoom_speed' cannot be '-1': use 0 .. 7"),
    ],
)
def test_a_wrong_choice_is_answered_with_the_right_ones(family, name, choice, sentence):
    with pytest.raises(SettingError) as refused:
        find_setting(family, name).value(choice)
    assert str(refused.value) == f'The setting {sentence}.'


def test_a_setting_that_the_product_lacks_is_answered_with_what_it_has():
    with pytest.raises(SettingError) as refused:
        find_setting(MB1, 'lrf_mode')
    assert str(refused.value) == (
        "The MB1 has no setting 'lrf_mode': use one of detection, flag_forwarding, ir_palette, ir_zoom, isotherms, "
        'osd, rc_mode, record_source, storage, view_source, zoom.'
    )
    with pytest.raises(SettingError) as refused:
        find_setting(ProductFamily.NONE, 'osd')
    assert str(refused.value) == "The bare gimbal has no setting 'osd': a bare gimbal has no camera."


@pytest.mark.parametrize('family', list(ProductFamily))
def test_no_setting_of_any_product_is_the_gimbals_mode(family):
    settings = SETTINGS[family]
    assert GIMBAL_MODE_PARAMETER not in {setting.parameter for setting in settings.values()}
    assert all(name == setting.name for name, setting in settings.items())
    parameters = [setting.parameter for setting in settings.values()]
    assert len(parameters) == len(set(parameters))
    assert all(len(parameter) <= 16 for parameter in parameters)


def test_a_value_that_is_no_choice_is_shown_as_its_number():
    assert find_setting(VIO, 'view_source').word(5) == '5'
    assert find_setting(VIO, 'ir_palette').word(4.0) == '4'
