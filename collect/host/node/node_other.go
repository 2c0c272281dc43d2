//go:build !linux

package node

// Names returns the names of all sources: none on this operating system.
func Names() []string { return nil }

// New returns no sources: host figures are read from the Linux kernel only.
func New(opts Options) ([]Source, error) {
	if opts.Logger != nil {
		opts.Logger.Warn("Host metrics are collected on Linux only")
	}
	return nil, nil
}
