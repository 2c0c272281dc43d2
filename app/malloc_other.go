//go:build !linux

package app

// fewArenas does nothing here.
func fewArenas() {}
