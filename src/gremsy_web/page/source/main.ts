// SPDX-License-Identifier: Apache-2.0
import { Page } from './page.ts';

const page = new Page(document.body);
page.start();
// What benchmarks and tests read; nothing here commands anything.
Object.defineProperty(window, 'gremsyPage', { value: { counts: () => page.counts() } });
