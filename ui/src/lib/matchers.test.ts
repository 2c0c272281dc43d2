import { describe, expect, it } from 'vitest';
import { equalTo, hidesAll, parseMatchers, regexProblem, writeMatcher } from './matchers';

describe('matchers', () => {
  it.each([
    ['a="b"', ['a="b"']],
    ['{a="b", c!="d",}', ['a="b"', 'c!="d"']],
    ['severity=~"critical|warning", x!~y', ['severity=~"critical|warning"', 'x!~"y"']],
    ['a="with \\"quotes\\" and, comma"', ['a="with \\"quotes\\" and, comma"']],
    ['', []],
  ])('%s', (text, want) => {
    const read = parseMatchers(text);
    expect(read?.map(writeMatcher)).toEqual(want);
    expect(parseMatchers(read?.map(writeMatcher).join(', ') ?? '')).toEqual(read);
  });
  it.each(['a', 'a=="b"c', '{a="b"', 'a="b" c="d"'])('refuses %s', (text) => {
    expect(parseMatchers(text)).toBeUndefined();
  });
  it('names the alert first', () => {
    expect(equalTo({ z: '1', alertname: 'X', a: '2' }).map(writeMatcher)).toEqual(['alertname="X"', 'a="2"', 'z="1"']);
  });
  it('knows what would silence everything', () => {
    const of = (text: string) => hidesAll(parseMatchers(text) ?? []);
    expect(of('a=~".*"')).toBe(true);
    expect(of('a!="x"')).toBe(true);
    expect(of('a=""')).toBe(true);
    expect(of('a=~".+"')).toBe(false);
    expect(of('a="x", b=~".*"')).toBe(false);
  });
  it('says what is wrong with a regular expression', () => {
    expect(regexProblem({ name: 'a', value: '(', isRegex: true, isEqual: true })).not.toBe('');
    expect(regexProblem({ name: 'a', value: '(', isRegex: false, isEqual: true })).toBe('');
  });
});
