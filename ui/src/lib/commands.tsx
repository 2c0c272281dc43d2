// What can be done by keyboard: one list for the palette, the shortcuts and the help. Pages add theirs while shown.
import { createContext, type ReactNode, use, useEffect, useRef, useSyncExternalStore } from 'react';

export interface Command {
  id: string;
  /** What it does, in the reader's language. */
  title: string;
  group: string;
  /** Keys pressed one after another, such as "g d". */
  keys?: string;
  run: () => void;
  /** More words that find it. */
  also?: string;
}

class Registry {
  private lists = new Map<object, Command[]>();
  private listeners = new Set<() => void>();
  private all: Command[] = [];

  set(owner: object, list: Command[] | null) {
    if (list) this.lists.set(owner, list);
    else this.lists.delete(owner);
    this.all = [...this.lists.values()].flat();
    for (const l of this.listeners) l();
  }
  list = () => this.all;
  subscribe = (l: () => void) => {
    this.listeners.add(l);
    return () => void this.listeners.delete(l);
  };
}

const RegistryContext = createContext<Registry | null>(null);

function useRegistry(): Registry {
  const r = use(RegistryContext);
  if (!r) throw new Error('commands are used outside of CommandProvider');
  return r;
}

export function CommandProvider({ children }: { children: ReactNode }) {
  const registry = useRef<Registry>(null);
  registry.current ??= new Registry();
  const all = registry.current;
  useEffect(() => {
    let typed = '';
    let timer: ReturnType<typeof setTimeout>;
    const onKey = (e: KeyboardEvent) => {
      if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || isEditing(e.target)) return;
      if (e.key === 'Shift') return;
      clearTimeout(timer);
      timer = setTimeout(() => {
        typed = '';
      }, 1200);
      typed = typed ? `${typed} ${e.key}` : e.key;
      const found = all.list().find((c) => c.keys === typed);
      if (found) {
        e.preventDefault();
        typed = '';
        found.run();
      } else if (!all.list().some((c) => c.keys?.startsWith(`${typed} `))) {
        typed = '';
      }
    };
    document.addEventListener('keydown', onKey);
    return () => {
      document.removeEventListener('keydown', onKey);
      clearTimeout(timer);
    };
  }, [all]);
  return <RegistryContext value={all}>{children}</RegistryContext>;
}

function isEditing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      target.closest('input, textarea, select, [role=dialog], [role=listbox], [role=menu]') !== null)
  );
}

/** useCommands offers commands while the component is shown. */
export function useCommands(list: Command[]): void {
  const registry = useRegistry();
  const owner = useRef({});
  const latest = useRef(list);
  latest.current = list;
  const key = list.map((c) => `${c.id}\n${c.title}\n${c.group}\n${c.keys ?? ''}`).join('\n\n');
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the list, whose functions are taken when they run.
  useEffect(() => {
    registry.set(
      owner.current,
      latest.current.map((c) => ({ ...c, run: () => latest.current.find((d) => d.id === c.id)?.run() })),
    );
    return () => registry.set(owner.current, null);
  }, [registry, key]);
}

export function useAllCommands(): Command[] {
  const registry = useRegistry();
  return useSyncExternalStore(registry.subscribe, registry.list);
}
