// The composition of the page: providers and routes. Every page is loaded when it is first visited.
import { createTheme, localStorageColorSchemeManager, MantineProvider, mergeThemeOverrides } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { type ReactNode, useMemo } from 'react';
import { createBrowserRouter, Outlet } from 'react-router';
import { RouterProvider } from 'react-router/dom';
import { makeClient } from './api/client';
import { prefetchServices } from './api/services';
import { Broken, NotFound } from './components/Broken';
import { Shell } from './components/Shell';
import { shellWords } from './components/words';
import { base } from './lib/base';
import { CommandProvider } from './lib/commands';
import { moved } from './lib/moved';
import { nonce } from './lib/nonce';
import { TimeProvider } from './lib/time';
import { LocaleProvider, useWords } from './lib/words';
import { theme } from './theme';

const client = makeClient();
const schemes = localStorageColorSchemeManager({ key: 'modelwatch.scheme' });

// Mails, rules and bookmarks may have addresses of Prometheus's and Alertmanager's pages.
const there = moved(location.pathname.slice(base.length), location.search, location.hash);
if (there) history.replaceState(null, '', base + there.slice(1));

const router = createBrowserRouter(
  [
    { path: 'login', errorElement: <Broken />, HydrateFallback: () => null, lazy: () => import('./pages/login') },
    {
      element: (
        <TimeProvider>
          <Shell>
            <Outlet />
          </Shell>
        </TimeProvider>
      ),
      errorElement: <Broken />,
      HydrateFallback: () => null,
      children: [
        {
          errorElement: <Broken />,
          children: [
            {
              index: true,
              lazy: () => {
                prefetchServices(client);
                return import('./pages/overview');
              },
            },
            { path: 'services/:service', lazy: () => import('./pages/service') },
            { path: 'services/:service/models/:model', lazy: () => import('./pages/service') },
            { path: 'explore/*', lazy: () => import('./pages/explore') },
            { path: 'alerts/*', lazy: () => import('./pages/alerts') },
            { path: 'files/*', lazy: () => import('./pages/files') },
            { path: 'dashboards/*', lazy: () => import('./pages/dashboards') },
            { path: 'status/*', lazy: () => import('./pages/status') },
            { path: 'settings/*', lazy: () => import('./pages/settings') },
            { path: '*', element: <NotFound /> },
          ],
        },
      ],
    },
  ],
  { basename: base.replace(/\/$/, '') || '/' },
);

/** Look is the theme, with the words that its components need in the reader's language. */
function Look({ children }: { children: ReactNode }) {
  const { close } = useWords(shellWords);
  const worded = useMemo(() => {
    const closes = { defaultProps: { closeButtonProps: { 'aria-label': close } } };
    return mergeThemeOverrides(theme, createTheme({ components: { Notification: closes } }));
  }, [close]);
  return (
    <MantineProvider theme={worded} colorSchemeManager={schemes} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      {children}
    </MantineProvider>
  );
}

export function App() {
  return (
    <LocaleProvider>
      <Look>
        <QueryClientProvider client={client}>
          <CommandProvider>
            <Notifications position="bottom-right" />
            <RouterProvider router={router} />
          </CommandProvider>
        </QueryClientProvider>
      </Look>
    </LocaleProvider>
  );
}
