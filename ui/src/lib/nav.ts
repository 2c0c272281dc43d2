// Places of the page, in the order of the navigation.
import {
  IconBell,
  IconChartHistogram,
  IconHeartbeat,
  IconLayoutDashboard,
  IconTopologyStar3,
} from '@tabler/icons-react';

export const places = [
  { id: 'overview', path: '/', keys: 'g o', icon: IconHeartbeat },
  { id: 'explore', path: '/explore', keys: 'g e', icon: IconChartHistogram },
  { id: 'alerts', path: '/alerts', keys: 'g a', icon: IconBell },
  { id: 'dashboards', path: '/dashboards', keys: 'g d', icon: IconLayoutDashboard },
  { id: 'status', path: '/status', keys: 'g s', icon: IconTopologyStar3 },
] as const;
