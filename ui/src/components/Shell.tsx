import { ActionIcon, AppShell, Box, Burger, Button, Kbd, Menu, useMantineColorScheme } from '@mantine/core';
import { useDisclosure, useHotkeys } from '@mantine/hooks';
import { IconSearch, IconSettings } from '@tabler/icons-react';
import { type ReactNode, useEffect } from 'react';
import { Link, useLocation, useNavigate } from 'react-router';
import { type Command, useCommands } from '../lib/commands';
import { places } from '../lib/nav';
import { useTime } from '../lib/time';
import { useHref } from '../lib/url';
import { type Locale, locales, useLocale, useWords } from '../lib/words';
import { Gone } from './Gone';
import { Mark } from './Mark';
import { Help, Palette } from './Palette';
import classes from './Shell.module.css';
import { Refresh, TimePicker } from './TimePicker';
import { UserMenu } from './UserMenu';
import { editWords, shellWords } from './words';

const schemes = ['light', 'dark', 'auto'] as const;

/** Shell is what stands around every page: places, time, and what the keyboard does. */
export function Shell({ children }: { children: ReactNode }) {
  const t = useWords(shellWords);
  const href = useHref();
  const { pathname } = useLocation();
  const [menu, { toggle, close }] = useDisclosure();
  const [palette, paletteIs] = useDisclosure();
  const [help, helpIs] = useDisclosure();

  // In text fields and editors too.
  useHotkeys([['mod+K', () => paletteIs.open()]], [], true);
  useShellCommands(helpIs.open);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new page closes the menu and starts at its top.
  useEffect(() => {
    close();
    window.scrollTo(0, 0);
  }, [pathname, close]);

  return (
    <AppShell
      header={{ height: 48 }}
      navbar={{ width: 190, breakpoint: 'sm', collapsed: { mobile: !menu } }}
      padding={0}
      transitionDuration={0}
    >
      <button type="button" className={classes.skip} onClick={skip}>
        {t.skip}
      </button>
      <AppShell.Header className={classes.header}>
        <Burger
          opened={menu}
          onClick={toggle}
          hiddenFrom="sm"
          size="sm"
          aria-label={t.openNavigation}
          aria-expanded={menu}
        />
        <Link to={href('/')} className={classes.brand} aria-label="modelwatch">
          <Mark />
          <Box component="span" visibleFrom="xs">
            modelwatch
          </Box>
        </Link>
        <Box flex={1} />
        <Button
          variant="default"
          className={classes.find}
          visibleFrom="md"
          leftSection={<IconSearch size={14} aria-hidden />}
          rightSection={<Kbd size="xs">Ctrl K</Kbd>}
          onClick={paletteIs.open}
        >
          {t.find}
        </Button>
        <ActionIcon size="lg" hiddenFrom="md" aria-label={t.find} onClick={paletteIs.open}>
          <IconSearch size={16} />
        </ActionIcon>
        <TimePicker />
        <Refresh />
        <Settings />
        <UserMenu />
      </AppShell.Header>
      <AppShell.Navbar className={classes.nav} aria-label={t.mainNavigation}>
        {places.map((p) => {
          const here =
            p.path === '/' ? pathname === '/' || pathname.startsWith('/services') : pathname.startsWith(p.path);
          return (
            <Link key={p.id} to={href(p.path)} className={classes.place} aria-current={here ? 'page' : undefined}>
              <p.icon size={17} stroke={1.7} aria-hidden />
              {t[p.id]}
            </Link>
          );
        })}
      </AppShell.Navbar>
      <AppShell.Main className={classes.main} id="content" tabIndex={-1}>
        <Gone />
        {children}
      </AppShell.Main>
      <Palette opened={palette} close={paletteIs.close} />
      <Help opened={help} close={helpIs.close} />
    </AppShell>
  );
}

/** skip lets the keyboard pass by the navigation. */
function skip() {
  document.getElementById('content')?.focus();
}

function useShellCommands(openHelp: () => void) {
  const t = useWords(shellWords);
  const e = useWords(editWords);
  const href = useHref();
  const navigate = useNavigate();
  const { refreshNow } = useTime();
  const { setLocale } = useLocale();
  const { setColorScheme } = useMantineColorScheme();
  const list: Command[] = [
    ...places.map((p) => ({
      id: p.id,
      title: t[p.id],
      group: t.go,
      keys: p.keys,
      run: () => void navigate(href(p.path)),
    })),
    { id: 'refresh', title: t.refreshNow, group: t.doIt, keys: 'r', run: refreshNow },
    ...schemes.map((s) => ({
      id: `scheme-${s}`,
      title: `${t.scheme}: ${t[s === 'auto' ? 'system' : s]}`,
      group: t.doIt,
      run: () => setColorScheme(s),
    })),
    ...(Object.keys(locales) as Locale[]).map((l) => ({
      id: `locale-${l}`,
      title: `${t.language}: ${locales[l]}`,
      group: t.doIt,
      also: 'language 语言',
      run: () => setLocale(l),
    })),
    { id: 'config', title: e.files, group: t.go, run: () => void navigate(href('/files')) },
    { id: 'new-rule', title: e.newRule, group: t.doIt, run: () => void navigate(href('/files/new-rule')) },
    { id: 'help', title: t.helpKey, group: t.doIt, keys: '?', run: openHelp },
  ];
  useCommands(list);
}

function Settings() {
  const t = useWords(shellWords);
  const { locale, setLocale } = useLocale();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon size="lg" aria-label={t.settings} title={t.settings}>
          <IconSettings size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{t.scheme}</Menu.Label>
        {schemes.map((s) => (
          <Menu.Item key={s} onClick={() => setColorScheme(s)} fw={s === colorScheme ? 600 : undefined}>
            {t[s === 'auto' ? 'system' : s]}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Label>{t.language}</Menu.Label>
        {(Object.keys(locales) as Locale[]).map((l) => (
          <Menu.Item key={l} onClick={() => setLocale(l)} fw={l === locale ? 600 : undefined} lang={l}>
            {locales[l]}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
