import { Tabs } from '@mantine/core';
import { type ComponentType, Suspense } from 'react';
import { Navigate, useNavigate, useParams } from 'react-router';
import { useHref } from '../lib/url';
import { TabList } from './TabList';

interface Props<S extends string> {
  /** Where the page is: its first section has this address, the others have one below it. */
  path: string;
  /** What the tabs are, for those who cannot see them. */
  label: string;
  sections: Record<S, ComponentType>;
  names: NoInfer<Record<S, string>>;
  /** Those that are offered; by default all. */
  shown?: S[];
}

/** Sections are the tabs of a page, each with an address of its own. */
export function Sections<S extends string>({ path, label, sections, names, shown }: Props<S>) {
  const navigate = useNavigate();
  const href = useHref();
  const offered = shown ?? (Object.keys(sections) as S[]);
  const here = useParams()['*'] || offered[0];
  const id = offered.find((s) => s === here);
  if (!id) return <Navigate to={href(path)} replace />;
  const Section: ComponentType = sections[id];
  return (
    <Tabs
      value={id}
      onChange={(s) => void navigate(href(s === offered[0] ? path : `${path}/${s}`))}
      keepMounted={false}
    >
      <TabList label={label} tabs={offered.map((s) => ({ id: s, name: names[s] }))} here={id} />
      <Tabs.Panel value={id} pt="sm">
        <Suspense>
          <Section />
        </Suspense>
      </Tabs.Panel>
    </Tabs>
  );
}
