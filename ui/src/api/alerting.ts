// Alerting: rules, alerts as they are routed, silences, what was notified, routes and receivers.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { Labels } from '../lib/labels';
import { type Matcher, writeMatcher } from '../lib/matchers';
import { useTime } from '../lib/time';
import { ask, askProm } from './client';
import { usePoll } from './poll';

export interface RuleAlert {
  labels: Labels;
  annotations: Labels;
  state: 'pending' | 'firing';
  activeAt: string;
  value: string;
}

export interface Rule {
  type: 'alerting' | 'recording';
  name: string;
  query: string;
  health: 'ok' | 'err' | 'unknown';
  lastError?: string;
  /** Seconds. */
  evaluationTime: number;
  lastEvaluation: string;
  labels?: Labels;
  annotations?: Labels;
  /** Of alerting rules: seconds, and what fires. */
  duration?: number;
  keepFiringFor?: number;
  state?: 'inactive' | 'pending' | 'firing';
  alerts?: RuleAlert[];
}

export interface RuleGroup {
  name: string;
  file: string;
  /** Seconds. */
  interval: number;
  evaluationTime: number;
  lastEvaluation: string;
  rules: Rule[];
}

export function useRules() {
  return usePoll(
    ['rules'],
    async (signal) => (await askProm<{ groups: RuleGroup[] }>('api/v1/rules', { signal })).data.groups,
  );
}

export interface Alert {
  fingerprint: string;
  labels: Labels;
  annotations: Labels;
  startsAt: string;
  endsAt: string;
  generatorURL?: string;
  receivers: { name: string }[];
  status: {
    state: 'active' | 'suppressed' | 'unprocessed';
    silencedBy: string[];
    inhibitedBy: string[];
    mutedBy?: string[];
  };
}

export interface AlertGroup {
  labels: Labels;
  receiver: { name: string };
  alerts: Alert[];
}

export function useAlertGroups() {
  return usePoll(['alert-groups'], (signal) => ask<AlertGroup[]>('api/v2/alerts/groups', { signal }));
}

/** useMatching lists the alerts that matchers select, as a preview of what a silence hides. */
export function useMatching(matchers: Matcher[]) {
  const filter = matchers.map(writeMatcher);
  return useQuery({
    queryKey: ['matching', filter],
    queryFn: ({ signal }) => ask<Alert[]>('api/v2/alerts', { params: { filter }, signal }),
    enabled: matchers.length > 0,
    placeholderData: (old) => old,
  });
}

export interface Silence {
  id: string;
  matchers: Matcher[];
  startsAt: string;
  endsAt: string;
  updatedAt: string;
  createdBy: string;
  comment: string;
  status: { state: 'active' | 'pending' | 'expired' };
}

export function useSilences() {
  return usePoll(['silences'], (signal) => ask<Silence[]>('api/v2/silences', { signal }));
}

export interface NewSilence {
  id?: string;
  matchers: Matcher[];
  startsAt: string;
  endsAt: string;
  createdBy: string;
  comment: string;
}

/** useChange runs a change and then reads again what it changes. */
function useChange<In, Out>(run: (input: In) => Promise<Out>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSuccess: () => {
      for (const key of ['silences', 'alert-groups', 'firing', 'notifications', 'matching'])
        void client.invalidateQueries({ queryKey: [key] });
    },
  });
}

export function useSilence() {
  return useChange((s: NewSilence) => ask<{ silenceID: string }>('api/v2/silences', { body: s }));
}

export function useExpire() {
  return useChange((id: string) => ask<void>(`api/v2/silence/${encodeURIComponent(id)}`, { method: 'DELETE' }));
}

export interface Notification {
  id: string;
  time: string;
  receiver: string;
  integration: string;
  index: number;
  groupLabels: Labels;
  alerts: string[] | null;
  firing: number;
  resolved: number;
  reason?: string;
  status: 'sending' | 'retrying' | 'sent' | 'failed' | 'recorded';
  attempts: number;
  durationSeconds: number;
  error?: string;
  test?: boolean;
}

/** mostNotifications is how many the history shows at most. */
export const mostNotifications = 1000;

export function useNotifications(receiver: string, failed: boolean) {
  const { from, to, range } = useTime();
  return usePoll(['notifications', receiver, failed, range], async (signal) => {
    const { notifications } = await ask<{ notifications: Notification[] }>('ai/v1/notifications', {
      params: {
        since: from / 1000,
        // A range that moves ends now, whatever now is when the answer is made.
        until: 'last' in range ? undefined : to / 1000,
        receiver: receiver || undefined,
        failed: failed || undefined,
        limit: mostNotifications,
      },
      signal,
    });
    return notifications;
  });
}

export interface Route {
  id: string;
  receiver: string;
  matchers: string[];
  continue: boolean;
  groupBy: string[];
  groupByAll: boolean;
  groupWait: string;
  groupInterval: string;
  repeatInterval: string;
  muteTimeIntervals: string[];
  activeTimeIntervals: string[];
  routes: Route[];
}

export interface Receiver {
  name: string;
  integrations: string[];
  used: boolean;
}

export interface Routing {
  route: Route;
  receivers: Receiver[];
  timeIntervals: { name: string; definition: string; active: boolean }[];
  inhibitRules: { name: string; sourceMatchers: string[]; targetMatchers: string[]; equal: string[] }[];
  warnings: string[];
}

export function useRouting() {
  return usePoll(['routing'], (signal) => ask<Routing>('ai/v1/alerting/routes', { signal }), { atMost: 30_000 });
}

export interface RouteTest {
  receivers: string[];
  routes: (Route & { groupLabels: Labels; muted: boolean; mutedBy: string[] })[];
  silencedBy: string[];
  inhibitedBy: string[];
}

/** useRouteTest asks where an alert with these labels would go. */
export function useRouteTest() {
  return useMutation({
    mutationFn: (labels: Labels) => ask<RouteTest>('ai/v1/alerting/routes/test', { body: { labels } }),
  });
}

export interface ReceiverTest {
  receiver: string;
  success: boolean;
  results: { integration: string; success: boolean; durationSeconds: number; error?: string; retry?: boolean }[];
  note?: string;
}

export function useReceiverTest() {
  return useChange((name: string) =>
    ask<ReceiverTest>(`ai/v1/alerting/receivers/${encodeURIComponent(name)}/test`, { body: { resolve: true } }),
  );
}
