// Package notify tells people about alerts: Alertmanager, embedded.
//
// Routing, grouping, inhibition, silences, time intervals, templates, receivers,
// clustering and the API under /api/v2 are Alertmanager's own libraries, wired in
// the order in which Alertmanager wires them, so that its configuration files,
// amtool and Grafana work unchanged. What this package adds:
//
//   - reloading in two phases ([Manager.Prepare] does all that can fail,
//     [Manager.Apply] only swaps), so that the process reloads all or nothing;
//   - the handover of alerts inside the process ([Manager.Send]);
//   - durability: a silence that was answered with success is on disk, alerts and
//     the notification log follow within a fraction of a second;
//   - a bounded history of notifications, failures included ([Manager.History]);
//   - JSON handlers for a page: routing tree, routing test, receiver test.
//
// It is not a rule engine and does not decide what an alert is, and it applies
// neither external labels nor alert relabelling: its callers do.
package notify
