// The demonstration at the moment worth looking at: told once, with a baseline, broken again, the alert firing and drift found.
import { demo, until } from './harness.mjs';

/** brokenDemo runs the demonstration until everything that the pages can show is there. */
export async function brokenDemo() {
  const shown = await demo();
  try {
    await until('the first baseline', async () => (await shown.version('v1.0'))?.baseline, 60);
    await until('the end of the story', () => shown.told().includes('That was the story'), 120);
    await shown.fault('features');
    await shown.fault('drift');
    await until('the alert to fire', () => shown.firing('HighInferenceLatency'), 60);
    await until('drift to be found', async () => {
      const { services } = await shown.get('/ai/v1/services');
      const data = services[0].layers.find((l) => l.layer === 'data');
      return data.findings.some((f) => f.kind === 'drift' && f.feature === 'age');
    });
    return shown;
  } catch (err) {
    await shown.stop();
    throw new Error(`${err.message}\n${shown.told()}`);
  }
}
