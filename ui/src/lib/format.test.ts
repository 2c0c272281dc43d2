import { expect, test } from 'vitest';
import { formats } from './format';

const en = formats('en');
const zh = formats('zh-CN');

test.each([
  [0.9996, '99.96%'],
  [0.99996, '99.996%'],
  [1, '100%'],
  [0, '0%'],
  [0.004, '0.4%'],
  [0.91, '91%'],
  [Number.NaN, '–'],
])('ratio %d', (value, text) => {
  // Nearly all is never rounded up to all.
  expect(en.ratio(value)).toBe(text);
});

test.each([
  [0.00012, '120 μs', '120微秒'],
  [0.31, '310 ms', '310毫秒'],
  [1.5, '1.5 s', '1.5秒'],
  [300, '5 min', '5分钟'],
  [7200, '2 h', '2小时'],
])('%d seconds', (value, inEnglish, inChinese) => {
  expect(en.seconds(value)).toBe(inEnglish);
  expect(zh.seconds(value)).toBe(inChinese);
});

test.each([
  [999, '999 B'],
  [67_108_864, '67.1 MB'],
  [999_900_000, '1 GB'],
])('%d bytes', (value, text) => {
  expect(en.bytes(value)).toBe(text);
});

test('spans are in the largest whole unit', () => {
  expect(en.span(15 * 60e3)).toBe('15 minutes');
  expect(en.span(36e5)).toBe('1 hour');
  expect(zh.span(2 * 864e5)).toBe('2天');
});

test.each([
  [0.0005, '0.0005'],
  [4.05e-14, '4.05\u00a0×\u00a010⁻¹⁴'],
  [-2e-10, '-2\u00a0×\u00a010⁻¹⁰'],
])('%d', (value, text) => {
  expect(en.number(value)).toBe(text);
});

test.each([
  [11, '11 s ago', '11秒前'],
  [180, '3 min ago', '3分钟前'],
  [7200, '2 h ago', '2小时前'],
])('%d seconds ago', (seconds, inEnglish, inChinese) => {
  expect(en.ago(0, seconds * 1000)).toBe(inEnglish);
  expect(zh.ago(0, seconds * 1000)).toBe(inChinese);
});

test('both ends of a span of time share their day', () => {
  const from = new Date(2026, 0, 2, 3, 4, 5).getTime();
  expect(en.between(from, from + 7000).match(/Jan/g)).toHaveLength(1);
});
