// SPDX-License-Identifier: Apache-2.0
// Packs golden_vectors.json with node-mavlink, an encoder that shares nothing with pymavlink or with the driver.
//   mkdir /tmp/golden && cd /tmp/golden && npm install node-mavlink@2.3.0 mavlink-mappings@1.0.21-20250824-1
//   NODE_PATH=node_modules node .../test/data/make_golden_vectors.cjs > .../test/data/golden_vectors.json
const { MavLinkProtocolV2 } = require('node-mavlink');
const { common, minimal } = require('mavlink-mappings');

const DRIVER = [1, 191];
const GIMBAL = [1, 154];
const CAMERA = [1, 100];
const vectors = [];

function pack(name, message, values, [system, component], sequence) {
  Object.assign(message, values);
  const bytes = new MavLinkProtocolV2(system, component).serialize(message, sequence);
  const readable = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, text(value)]));
  vectors.push({ name, message_id: message.constructor.MSG_ID, system, component, sequence, values: readable,
                 hex: bytes.toString('hex') });
}

// JSON knows neither NaN nor 64-bit numbers.
function text(value) {
  if (Array.isArray(value)) return value.map(text);
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string') return value.replace(/\0+$/, '');
  return Number.isNaN(value) ? 'nan' : value;
}

const to = ([targetSystem, targetComponent]) => ({ targetSystem, targetComponent });
const command = (name, number, parameters, whom, sequence) => {
  const values = { command: number, confirmation: 0, ...to(whom) };
  parameters.forEach((value, index) => { values[`_param${index + 1}`] = value; });
  pack(name, new common.CommandLong(), values, DRIVER, sequence);
};
const uint32 = (value) => Buffer.from(Uint32Array.of(value).buffer).toString('latin1').padEnd(128, '\0');

// What the driver sends.
pack('heartbeat_of_driver', new minimal.Heartbeat(),
  { type: 18, autopilot: 8, baseMode: 0, customMode: 0, systemStatus: 4, mavlinkVersion: 3 }, DRIVER, 0);
pack('set_attitude_angle_lock', new common.GimbalDeviceSetAttitude(),
  { ...to(GIMBAL), flags: 0x1c, q: [0.8775825618903728, 0, -0.47942553860420295, 0], angularVelocityX: NaN,
    angularVelocityY: NaN, angularVelocityZ: NaN }, DRIVER, 1);
pack('set_attitude_rate_follow', new common.GimbalDeviceSetAttitude(),
  { ...to(GIMBAL), flags: 0x0c, q: [NaN, NaN, NaN, NaN], angularVelocityX: 0, angularVelocityY: 0.2,
    angularVelocityZ: -0.3 }, DRIVER, 2);
pack('set_attitude_stop_mapping', new common.GimbalDeviceSetAttitude(),
  { ...to(GIMBAL), flags: 0x400c, q: [NaN, NaN, NaN, NaN], angularVelocityX: 0, angularVelocityY: 0,
    angularVelocityZ: 0 }, DRIVER, 3);
command('mount_control_angle', 205, [-45, 0, 30, 0, 0, 1, 2], GIMBAL, 4);
command('mount_control_speed', 205, [5, 0, -12.5, 0, 0, 2, 2], GIMBAL, 5);
command('mount_mode_mapping', 31011, [0, 0, 0, 0, 0, 13, 4], GIMBAL, 6);
command('mount_mode_lock', 31011, [0, 0, 0, 0, 0, 0, 1], GIMBAL, 7);
command('motors_off', 31010, [0, 0, 0, 0, 0, 0, 0], GIMBAL, 8);
command('message_interval', 511, [285, 20000, 0, 0, 0, 0, 0], GIMBAL, 9);
command('request_information', 512, [283, 0, 0, 0, 0, 0, 0], GIMBAL, 10);
pack('param_set', new common.ParamSet(),
  { ...to(GIMBAL), paramId: 'PWR_TILT', paramValue: -45, paramType: 4 }, DRIVER, 11);
pack('param_request_read', new common.ParamRequestRead(),
  { ...to(GIMBAL), paramId: 'RC_LIM_MIN_TILT', paramIndex: -1 }, DRIVER, 12);
pack('param_ext_set_256', new common.ParamExtSet(),
  { ...to(CAMERA), paramId: 'C_V_FV', paramValue: uint32(256), paramType: 5 }, DRIVER, 13);
pack('param_ext_set_200', new common.ParamExtSet(),
  { ...to(CAMERA), paramId: 'C_SOURCE', paramValue: uint32(200), paramType: 5 }, DRIVER, 14);
pack('vehicle_state', new common.AutopilotStateForGimbalDevice(),
  { ...to(GIMBAL), timeBootUs: 123456789n, q: [0.9689124217106447, 0, 0, 0.24740395925452294], qEstimatedDelayUs: 4000,
    vx: 1.5, vy: -0.25, vz: 0, vEstimatedDelayUs: 8000, feedForwardAngularVelocityZ: NaN, estimatorStatus: 1,
    landedState: 2, angularVelocityZ: 0.125 }, DRIVER, 15);

// What it hears.
pack('heartbeat_of_gimbal', new minimal.Heartbeat(),
  { type: 26, autopilot: 8, baseMode: 0, customMode: 0, systemStatus: 4, mavlinkVersion: 3 }, GIMBAL, 200);
pack('attitude_status_full', new common.GimbalDeviceAttitudeStatus(),
  { targetSystem: 0, targetComponent: 0, timeBootMs: 345678, flags: 0x2c, q: [0.5, 0.5, -0.5, 0.5],
    angularVelocityX: 0.25, angularVelocityY: -0.5, angularVelocityZ: 0.125, failureFlags: 8, deltaYaw: 0.75,
    deltaYawVelocity: 0.0625, gimbalDeviceId: 1 }, GIMBAL, 201);
pack('attitude_status_old', new common.GimbalDeviceAttitudeStatus(),
  { targetSystem: 0, targetComponent: 0, timeBootMs: 345698, flags: 0x0c, q: [1, 0, 0, 0], angularVelocityX: 0,
    angularVelocityY: 0, angularVelocityZ: 0, failureFlags: 0, deltaYaw: 0, deltaYawVelocity: 0, gimbalDeviceId: 0 },
  GIMBAL, 202);
pack('mount_orientation', new common.MountOrientation(),
  { timeBootMs: 345700, roll: 0.5, pitch: -30, yaw: 45, yawAbsolute: 120 }, GIMBAL, 203);
pack('mount_orientation_without_absolute', new common.MountOrientation(),
  { timeBootMs: 345701, roll: 0.5, pitch: -30, yaw: 45, yawAbsolute: 0 }, GIMBAL, 204);
pack('param_value', new common.ParamValue(),
  { paramId: 'RC_LIM_MAX_TILT', paramValue: 90, paramType: 4, paramCount: 70, paramIndex: 31 }, GIMBAL, 205);
pack('param_ext_ack_256', new common.ParamExtAck(),
  { paramId: 'C_V_FV', paramValue: uint32(256), paramType: 5, paramResult: 0 }, CAMERA, 206);
pack('raw_imu', new common.RawImu(),
  { timeUsec: 345700123n, xacc: 0, yacc: -4096, zacc: -8192, xgyro: 328, ygyro: 0, zgyro: -656, xmag: 0, ymag: 0,
    zmag: 0, id: 0, temperature: 0 }, GIMBAL, 207);

process.stdout.write(JSON.stringify({
  provenance: 'Packed by node-mavlink 2.3.0 with mavlink-mappings 1.0.21-20250824-1 (npm); '
    + 'see make_golden_vectors.cjs. Not pymavlink, not the driver.',
  vectors,
}, null, 1) + '\n');
