import { Tabs } from '@mantine/core';
import { useEffect, useRef } from 'react';

interface Props<S extends string> {
  /** What the tabs are, for those who cannot see them. */
  label: string;
  tabs: { id: S; name: string }[];
  /** The one that is shown. */
  here: S;
}

/** TabList is a row of tabs that scrolls sideways on a narrow screen, to the one that is shown. */
export function TabList<S extends string>({ label, tabs, here }: Props<S>) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const tab = list.current?.querySelector(`[data-tab="${here}"]`);
    tab?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [here]);
  return (
    <Tabs.List ref={list} aria-label={label} className="mw-tabs">
      {tabs.map((tab) => (
        <Tabs.Tab key={tab.id} value={tab.id} data-tab={tab.id}>
          {tab.name}
        </Tabs.Tab>
      ))}
    </Tabs.List>
  );
}
