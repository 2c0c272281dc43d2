const browsers: [RegExp, string][] = [
  [/Edg\/(\d+)/, 'Edge'],
  [/OPR\/(\d+)/, 'Opera'],
  [/Firefox\/(\d+)/, 'Firefox'],
  [/(?:Headless)?Chrome\/(\d+)/, 'Chrome'],
  [/Version\/(\d+)[\d.]* (?:Mobile\/\S+ )?Safari/, 'Safari'],
];

const systems: [RegExp, string][] = [
  [/Android/, 'Android'],
  [/iPhone|iPad/, 'iOS'],
  [/Windows/, 'Windows'],
  [/Mac OS X/, 'macOS'],
  [/Linux|X11/, 'Linux'],
];

/** browserOf makes a user agent short for people, such as "Firefox 140, Linux". Programs are shown as they call themselves. */
export function browserOf(agent: string | undefined): string {
  if (!agent) return '–';
  for (const [pattern, name] of browsers) {
    const version = pattern.exec(agent)?.[1];
    if (!version) continue;
    const system = systems.find(([p]) => p.test(agent))?.[1];
    return `${name} ${version}${system ? `, ${system}` : ''}`;
  }
  return agent;
}
