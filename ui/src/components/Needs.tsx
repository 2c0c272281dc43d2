// Controls that a role may not use: shown, but disabled with the reason.
import { Tooltip } from '@mantine/core';
import { cloneElement, type MouseEvent, type ReactElement } from 'react';
import { useMe } from '../api/auth';
import type { Role } from '../api/session';
import { useWords } from '../lib/words';
import { authWords } from './authWords';

const order: Role[] = ['viewer', 'editor', 'admin'];

/** useRefusal says why this user may not do what needs a role; undefined where it may, or as long as that is not known. */
export function useRefusal(need: Role): string | undefined {
  const t = useWords(authWords);
  const { data: me } = useMe();
  if (!me?.role || order.indexOf(me.role) >= order.indexOf(need)) return undefined;
  return t.needs(t[need], t[me.role]);
}

interface Props {
  least: Role;
  /** One button. It keeps its place among those that the keyboard reaches, so that the reason can be read. */
  children: ReactElement<Record<string, unknown>>;
}

export function Needs({ least, children }: Props) {
  const no = useRefusal(least);
  if (!no) return children;
  return (
    <Tooltip label={no} events={{ hover: true, focus: true, touch: true }}>
      {cloneElement(children, {
        'data-disabled': true,
        'aria-disabled': true,
        type: 'button',
        onClick: (e: MouseEvent) => e.preventDefault(),
      })}
    </Tooltip>
  );
}
