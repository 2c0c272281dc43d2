package app

import (
	"context"
	"fmt"
	"time"

	"github.com/modelwatch/modelwatch/app/logexport"
	"github.com/modelwatch/modelwatch/app/remote"
)

// ExportOptions are the flags of `modelwatch logs export`.
type ExportOptions struct {
	File, Query, From, To string
	Replace               bool
	// Dir is a data directory that no process uses; without one, Client is asked.
	Dir string
	// Client asks a modelwatch or a Loki, there as Tenant, if Dir is empty.
	Client *remote.Client
	Tenant string
}

// ExportLogs writes log lines into a Parquet file and returns their number.
func ExportLogs(ctx context.Context, o ExportOptions) (int64, error) {
	now := time.Now()
	from, err := logexport.ParseTime(o.From, now)
	if err != nil {
		return 0, fmt.Errorf("--from: %w", err)
	}
	to, err := logexport.ParseTime(o.To, now)
	if err != nil {
		return 0, fmt.Errorf("--to: %w", err)
	}
	return logexport.Export(ctx, logexport.Options{
		Query: o.Query, From: from, To: to, File: o.File, Replace: o.Replace,
		Dir: o.Dir, Lock: lockDir, URL: o.Client.Address(), Tenant: o.Tenant, Transport: o.Client,
	})
}
