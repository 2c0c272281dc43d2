package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// start runs modelwatch on an empty directory. Its log goes to a file there,
// and is shown where it did not become ready.
func start(binary, dir string) (url string, pid int, stop func() error, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", 0, nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", 0, nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", 0, nil, err
	}
	name := filepath.Join(dir, "log")
	log, err := os.Create(name)
	if err != nil {
		return "", 0, nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(binary, "serve", "--web.listen-address="+address, "--storage.path="+filepath.Join(dir, "data"), "--log.level=warn")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		return cmd.Wait()
	}
	url = "http://" + address
	for range 600 {
		time.Sleep(50 * time.Millisecond)
		resp, err := http.Get(url + "/-/ready")
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return url, cmd.Process.Pid, stop, nil
		}
	}
	said, _ := os.ReadFile(name)
	return "", 0, nil, errors.Join(fmt.Errorf("modelwatch did not become ready: %s", said), stop())
}
