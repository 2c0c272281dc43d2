import { words } from '../../lib/words';

export const dashboardWords = words(
  {
    none: 'modelwatch has no dashboards yet',
    instead: 'The overview and the page of each service show what a dashboard of AI services would.',
    grafana:
      'Dashboards that you have go on working: in Grafana, give this address as a data source of the kinds Prometheus and Loki.',
    explore: 'Draw a query in Explore',
  },
  {
    none: 'modelwatch 暂无仪表盘',
    instead: '总览和各服务的页面已展示 AI 服务仪表盘应有的内容。',
    grafana: '已有的仪表盘可照常使用：在 Grafana 中将此地址添加为 Prometheus 和 Loki 数据源。',
    explore: '在探索中绘制查询',
  },
);
