package host

import (
	"fmt"
	"regexp"
	"strings"
)

// Kind is what a series' value means to a query.
type Kind string

// Kinds of series. Untyped are the kernel's counters that node_exporter does not declare as such.
const (
	Gauge   Kind = "gauge"
	Counter Kind = "counter"
	Untyped Kind = "untyped"
)

// Group is the part of the documentation that a metric stands in.
type Group string

// Groups of metrics.
const (
	HostGroup    Group = "host"
	ProcessGroup Group = "process"
	GPUGroup     Group = "gpu"
)

// Metric is one line of the catalogue.
type Metric struct {
	Group Group
	// Name is the series' name. A part in angle brackets stands for the names that the kernel gives.
	Name   string
	Kind   Kind
	Unit   string // of the value; "" for states (0 or 1) and for info series, whose value is always 1
	Labels []string
	Help   string
}

// Catalog lists every metric of this package: what the documentation is made from, and what a page or a rule may count
// on. It is not to be changed.
var Catalog = []Metric{
	{HostGroup, "node_cpu_seconds_total", Counter, "seconds", []string{"cpu", "mode"}, "Time that the CPU spent in each mode: user, nice, system, idle, iowait, irq, softirq, steal."},
	{HostGroup, "node_cpu_guest_seconds_total", Counter, "seconds", []string{"cpu", "mode"}, "Time that the CPU spent running virtual machines; part of user and nice."},
	{HostGroup, "node_cpu_core_throttles_total", Counter, "events", []string{"package", "core"}, "Times that a core was slowed down for its temperature, where the hardware tells."},
	{HostGroup, "node_cpu_package_throttles_total", Counter, "events", []string{"package"}, "Times that a processor was slowed down for its temperature, where the hardware tells."},
	{HostGroup, "node_cpu_online", Gauge, "", []string{"cpu"}, "Whether the CPU is online."},
	{HostGroup, "node_cpu_isolated", Gauge, "", []string{"cpu"}, "Whether the CPU is kept from ordinary scheduling."},
	{HostGroup, "node_load<1, 5, 15>", Gauge, "tasks", nil, "Load average over 1, 5 and 15 minutes."},
	{HostGroup, "node_memory_<field>_bytes", Gauge, "bytes", nil, "A line of /proc/meminfo, for example node_memory_MemAvailable_bytes, node_memory_MemTotal_bytes, node_memory_SwapFree_bytes."},
	{HostGroup, "node_memory_HugePages_<field>", Gauge, "pages", nil, "Huge pages."},
	{HostGroup, "node_memory_usage_bytes", Gauge, "bytes", nil, "MemTotal − MemAvailable: memory in use that cannot be reclaimed without swapping. Absent if the kernel gives no MemAvailable. node_exporter does not have it."},
	{HostGroup, "node_vmstat_<field>", Untyped, "events", nil, "A counter of /proc/vmstat: oom_kill, pgfault, pgmajfault, pgpgin, pgpgout, pswpin, pswpout."},
	{HostGroup, "node_pressure_<cpu, io, irq, memory>_<waiting, stalled>_seconds_total", Counter, "seconds", nil, "Time in which some tasks waited for the resource, or all of them were stalled."},
	{HostGroup, "node_context_switches_total", Counter, "events", nil, "Context switches."},
	{HostGroup, "node_forks_total", Counter, "events", nil, "Processes and threads created."},
	{HostGroup, "node_intr_total", Counter, "events", nil, "Interrupts serviced."},
	{HostGroup, "node_procs_running", Gauge, "tasks", nil, "Tasks that can run."},
	{HostGroup, "node_procs_blocked", Gauge, "tasks", nil, "Tasks that wait for input or output."},
	{HostGroup, "node_boot_time_seconds", Gauge, "seconds since 1970", nil, "Start of the machine."},
	{HostGroup, "node_filesystem_<size, free, avail>_bytes", Gauge, "bytes", []string{"device", "fstype", "mountpoint", "device_error"}, "Size, free space, and free space for users other than root. device_error is empty, that is absent, unless the mount does not answer."},
	{HostGroup, "node_filesystem_<files, files_free>", Gauge, "inodes", []string{"device", "fstype", "mountpoint", "device_error"}, "Inodes in all, and free."},
	{HostGroup, "node_filesystem_readonly", Gauge, "", []string{"device", "fstype", "mountpoint", "device_error"}, "Whether the file system is mounted for reading only."},
	{HostGroup, "node_filesystem_device_error", Gauge, "", []string{"device", "fstype", "mountpoint", "device_error"}, "Whether its figures could not be had: the reason is the label device_error, for a dead network mount \"mountpoint timeout\"."},
	{HostGroup, "node_filesystem_mount_info", Gauge, "", []string{"device", "major", "minor", "mountpoint"}, "Device numbers of the mount."},
	{HostGroup, "node_disk_<read, written>_bytes_total", Counter, "bytes", []string{"device"}, "Bytes read from and written to the disk."},
	{HostGroup, "node_disk_<reads, writes, discards>_<completed, merged>_total", Counter, "requests", []string{"device"}, "Requests completed, and requests merged into another."},
	{HostGroup, "node_disk_flush_requests_total", Counter, "requests", []string{"device"}, "Flush requests completed."},
	{HostGroup, "node_disk_discarded_sectors_total", Counter, "sectors", []string{"device"}, "Sectors discarded."},
	{HostGroup, "node_disk_<io, read, write, discard, flush_requests>_time_seconds_total", Counter, "seconds", []string{"device"}, "Time spent with requests of each kind; io is the time in which the disk was busy."},
	{HostGroup, "node_disk_io_time_weighted_seconds_total", Counter, "seconds", []string{"device"}, "Time spent with requests, times the requests in flight."},
	{HostGroup, "node_disk_io_now", Gauge, "requests", []string{"device"}, "Requests in flight."},
	{HostGroup, "node_disk_<info, filesystem_info, device_mapper_info>", Gauge, "", []string{"device", "…"}, "What the disk is."},
	{HostGroup, "node_disk_ata_<property>", Gauge, "", []string{"device"}, "Properties of an ATA disk, where udev tells."},
	{HostGroup, "node_network_<receive, transmit>_<bytes, packets, errs, drop, …>_total", Counter, "bytes, packets, events", []string{"device"}, "Traffic and faults of the network interface."},
	{HostGroup, "node_network_up", Gauge, "", []string{"device"}, "Whether the interface is up."},
	{HostGroup, "node_network_speed_bytes", Gauge, "bytes per second", []string{"device"}, "Speed of the link."},
	{HostGroup, "node_network_mtu_bytes", Gauge, "bytes", []string{"device"}, "Largest packet."},
	{HostGroup, "node_network_carrier_<changes, up_changes, down_changes>_total", Counter, "events", []string{"device"}, "Times that the link came or went."},
	{HostGroup, "node_network_info", Gauge, "", []string{"device", "address", "broadcast", "duplex", "operstate", "adminstate", "ifalias"}, "What the interface is."},
	{HostGroup, "node_network_<property>", Gauge, "as the kernel gives it", []string{"device"}, "The other files of /sys/class/net: carrier, flags, transmit_queue_length and so on."},
	{HostGroup, "node_netstat_<protocol>_<field>", Untyped, "as the kernel gives it", nil, "Counters of /proc/net/netstat, snmp and snmp6, for example node_netstat_TcpExt_ListenOverflows, node_netstat_Tcp_RetransSegs, node_netstat_Udp_InErrors."},
	{HostGroup, "node_sockstat_<protocol>_<field>", Gauge, "sockets, pages", nil, "Sockets in use, for example node_sockstat_TCP_inuse, node_sockstat_TCP_tw."},
	{HostGroup, "node_sockstat_<TCP, UDP>_mem_bytes", Gauge, "bytes", nil, "Memory of socket buffers."},
	{HostGroup, "node_nf_conntrack_<field>", Gauge, "connections, events", nil, "Connection tracking, where it is loaded: entries, entries_limit, and stat_… counters."},
	{HostGroup, "node_filefd_<allocated, maximum>", Gauge, "files", nil, "Open files of the whole machine, and how many there may be."},
	{HostGroup, "node_time_seconds", Gauge, "seconds since 1970", nil, "The machine's clock."},
	{HostGroup, "node_time_zone_offset_seconds", Gauge, "seconds", []string{"time_zone"}, "Offset of local time from UTC."},
	{HostGroup, "node_time_clocksource_<available, current>_info", Gauge, "", []string{"device", "clocksource"}, "The kernel's sources of time."},
	{HostGroup, "node_timex_sync_status", Gauge, "", nil, "Whether the clock is kept in step with a server."},
	{HostGroup, "node_timex_pps_<calibration, error, jitter, stability_exceeded>_total", Counter, "events", nil, "Events of a pulse-per-second signal."},
	{HostGroup, "node_timex_<field>", Gauge, "by suffix", nil, "What adjtimex(2) tells: offset_seconds, maxerror_seconds, estimated_error_seconds and so on."},
	{HostGroup, "node_uname_info", Gauge, "", []string{"sysname", "release", "version", "machine", "nodename", "domainname"}, "Kernel and host name."},
	{HostGroup, "node_scrape_collector_success", Gauge, "", []string{"collector"}, "Whether the group of series could be read; 0 also where the kernel does not offer it."},
	{HostGroup, "node_scrape_collector_duration_seconds", Gauge, "seconds", []string{"collector"}, "Time that the group of series took."},

	{ProcessGroup, "modelwatch_process_up", Gauge, "", []string{"service"}, "Whether at least one process of the service runs; absent when that cannot be known."},
	{ProcessGroup, "modelwatch_process_lookup_success", Gauge, "", []string{"service"}, "Whether it could be found out which processes the service has."},
	{ProcessGroup, "modelwatch_processes", Gauge, "processes", []string{"service"}, "Processes of the service, descendants included."},
	{ProcessGroup, "modelwatch_process_cpu_seconds_total", Counter, "seconds", []string{"service"}, "User and system CPU time of the service's processes, those that are gone included."},
	{ProcessGroup, "modelwatch_process_resident_memory_bytes", Gauge, "bytes", []string{"service"}, "Sum of the resident memory of the service's processes; shared pages count once per process."},
	{ProcessGroup, "modelwatch_process_open_fds", Gauge, "files", []string{"service"}, "Open file descriptors of the service's processes; absent when any of them cannot be read."},
	{ProcessGroup, "modelwatch_process_max_fds", Gauge, "files", []string{"service"}, "Lowest soft limit of open file descriptors of any process of the service."},
	{ProcessGroup, "modelwatch_process_fd_usage_ratio", Gauge, "ratio", []string{"service"}, "Highest ratio of open file descriptors to their soft limit of any process of the service."},
	{ProcessGroup, "modelwatch_process_threads", Gauge, "threads", []string{"service"}, "Threads of the service's processes."},
	{ProcessGroup, "modelwatch_process_start_time_seconds", Gauge, "seconds since 1970", []string{"service"}, "Start of the service's oldest process, in seconds since 1970."},
	{ProcessGroup, "modelwatch_process_errors_total", Counter, "measurements", []string{"service", "reason"}, "Measurements of the service that failed or are incomplete, by reason."},

	{GPUGroup, "modelwatch_gpu_count", Gauge, "GPUs", nil, "GPUs that answer."},
	{GPUGroup, "modelwatch_gpu_expected_count", Gauge, "GPUs", nil, "GPUs that should be there: configured, or the highest number seen."},
	{GPUGroup, "modelwatch_gpu_up", Gauge, "", []string{"gpu", "uuid", "name"}, "Whether the GPU answers, for every GPU that should be there and whose name is known."},
	{GPUGroup, "modelwatch_gpu_info", Gauge, "", []string{"gpu", "uuid", "name", "pci_bus_id", "driver_version"}, "What the GPU is; always 1."},
	{GPUGroup, "modelwatch_gpu_utilization_ratio", Gauge, "ratio", []string{"gpu", "uuid", "name"}, "Share of the last sample period, of up to a second, in which a kernel ran on the GPU."},
	{GPUGroup, "modelwatch_gpu_memory_used_bytes", Gauge, "bytes", []string{"gpu", "uuid", "name"}, "GPU memory in use."},
	{GPUGroup, "modelwatch_gpu_memory_total_bytes", Gauge, "bytes", []string{"gpu", "uuid", "name"}, "GPU memory installed."},
	{GPUGroup, "modelwatch_gpu_temperature_celsius", Gauge, "°C", []string{"gpu", "uuid", "name"}, "Temperature of the GPU's core."},
	{GPUGroup, "modelwatch_gpu_power_watts", Gauge, "watts", []string{"gpu", "uuid", "name"}, "Power drawn by the board."},
	{GPUGroup, "modelwatch_gpu_power_limit_watts", Gauge, "watts", []string{"gpu", "uuid", "name"}, "Power limit set in software."},
	{GPUGroup, "modelwatch_gpu_ecc_errors_corrected_total", Counter, "errors", []string{"gpu", "uuid", "name"}, "Memory errors that ECC corrected since the driver was loaded."},
	{GPUGroup, "modelwatch_gpu_ecc_errors_uncorrected_total", Counter, "errors", []string{"gpu", "uuid", "name"}, "Memory errors that ECC could not correct since the driver was loaded."},
	{GPUGroup, "modelwatch_gpu_xid_errors_total", Counter, "errors", []string{"gpu", "uuid", "name", "xid"}, "XID errors of the GPU in the kernel's log, by code."},
	{GPUGroup, "modelwatch_gpu_kernel_log_readable", Gauge, "", nil, "Whether the kernel's log can be read, without which there are no XID errors to count."},
	{GPUGroup, "modelwatch_gpu_scrape_success", Gauge, "", nil, "Whether the last reading of the GPUs succeeded and is recent."},
	{GPUGroup, "modelwatch_gpu_scrape_errors_total", Counter, "readings", []string{"reason"}, "Readings of the GPUs that failed, by reason."},
	{GPUGroup, "modelwatch_gpu_reading_age_seconds", Gauge, "seconds", nil, "Time since the reading that the GPU series show."},
}

var bracketed = regexp.MustCompile(`<([^>]*)>`)

// Matches reports whether a series' name belongs to this line of the catalogue.
func (m Metric) Matches(name string) bool {
	if !strings.Contains(m.Name, "<") {
		return m.Name == name
	}
	pattern := bracketed.ReplaceAllStringFunc(m.Name, func(part string) string {
		part = strings.Trim(part, "<>")
		if !strings.Contains(part, ", ") || strings.Contains(part, "…") {
			return `\w+`
		}
		return "(" + strings.ReplaceAll(part, ", ", "|") + ")"
	})
	return regexp.MustCompile("^" + pattern + "$").MatchString(name)
}

// Table renders a group of metrics as a Markdown table.
func Table(group Group) string {
	var b strings.Builder
	b.WriteString("| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n")
	for _, m := range Catalog {
		if m.Group != group {
			continue
		}
		labels := ""
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Kind, m.Unit, labels, m.Help)
	}
	return b.String()
}
