import { expect, test } from 'vitest';
import { unitOf, unitOfAll } from './unit';

test.each([
  ['model_inference_latency_seconds{endpoint="/predict"}', 'seconds'],
  ['sum by (job) (process_resident_memory_bytes)', 'bytes'],
  ['histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))', 'seconds'],
  ['max_over_time(modelwatch_gpu_utilization_ratio[1h])', 'ratio'],
  ['quantile(0.9, a_seconds)', 'seconds'],
  ['rate(process_cpu_seconds_total[5m])', 'number'],
  ['rate(http_request_duration_seconds_bucket[5m])', 'number'],
  ['a_bytes / b_bytes', 'number'],
  ['a_seconds > 1', 'number'],
  ['count(a_seconds)', 'number'],
  ['process_start_time_seconds', 'number'],
  ['up{x="a_seconds"}', 'number'],
  ['', 'number'],
])('%s', (expr, unit) => {
  expect(unitOf(expr)).toBe(unit);
});

test('several queries have a unit only where it is the same', () => {
  expect(unitOfAll(['a_seconds', 'b_seconds'])).toBe('seconds');
  expect(unitOfAll(['a_seconds', 'b_bytes'])).toBe('number');
});
