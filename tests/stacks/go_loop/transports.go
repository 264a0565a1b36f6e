package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// What went through the service's connections, and when, as tests/stacks/testbed/transports.py notes it on asyncio: the moments around each write, and
// for each read the network core's own stamp of the last segment's arrival (SO_TIMESTAMPING, software) and the moment after it. Only where
// LOOP_TRANSPORTS names a file; else connections are what they are.
var (
	transportsPath = os.Getenv("LOOP_TRANSPORTS")
	transports     struct {
		sync.Mutex
		all []*passed
	}
	realtimeOffset = offsetOfRealtime()
)

type passed struct {
	Local  int      `json:"local"`
	Remote int      `json:"remote"`
	Opened int64    `json:"opened"` // when it was first heard of
	Events [][3]any `json:"events"` // "write", begin, end or "read", arrived, read (CLOCK_MONOTONIC, ns)
	lock   sync.Mutex
}

func (p *passed) note(kind string, earlier, later int64) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.Events = append(p.Events, [3]any{kind, earlier, later})
}

// CLOCK_REALTIME − CLOCK_MONOTONIC: the narrowest of several readings, each bracketed.
func offsetOfRealtime() int64 {
	var narrowest, offset int64
	for i := 0; i < 20; i++ {
		var real unix.Timespec
		before := now()
		if err := unix.ClockGettime(unix.CLOCK_REALTIME, &real); err != nil {
			panic(err)
		}
		after := now()
		if i == 0 || after-before < narrowest {
			narrowest, offset = after-before, real.Nano()-(before+after)/2
		}
	}
	return offset
}

// A socket asks for stamps before it connects or listens; a listening one hands the option on to what it accepts.
func askForStamps(_, _ string, raw syscall.RawConn) error {
	if transportsPath == "" {
		return nil
	}
	var failed error
	err := raw.Control(func(descriptor uintptr) {
		failed = unix.SetsockoptInt(int(descriptor), unix.SOL_SOCKET, unix.SO_TIMESTAMPING,
			unix.SOF_TIMESTAMPING_RX_SOFTWARE|unix.SOF_TIMESTAMPING_SOFTWARE)
	})
	if err != nil {
		return err
	}
	return failed
}

type watched struct {
	net.Conn
	raw  syscall.RawConn
	seen *passed
}

// The connection itself, where nothing is to be noted.
func watch(connection net.Conn) net.Conn {
	tcp, isTCP := connection.(*net.TCPConn)
	if transportsPath == "" || !isTCP {
		return connection
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		panic(err)
	}
	seen := &passed{Local: portOf(connection), Remote: connection.RemoteAddr().(*net.TCPAddr).Port, Opened: now()}
	transports.Lock()
	defer transports.Unlock()
	transports.all = append(transports.all, seen)
	return &watched{connection, raw, seen}
}

func (w *watched) Write(data []byte) (int, error) {
	began := now()
	written, err := w.Conn.Write(data)
	w.seen.note("write", began, now())
	return written, err
}

func (w *watched) Read(into []byte) (int, error) {
	var ancillary [128]byte
	var count, stamps int
	var failed error
	err := w.raw.Read(func(descriptor uintptr) bool {
		for {
			count, stamps, _, _, failed = unix.Recvmsg(int(descriptor), into, ancillary[:], 0)
			if failed != unix.EINTR {
				return failed != unix.EAGAIN
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, &net.OpError{Op: "read", Net: "tcp", Source: w.LocalAddr(), Addr: w.RemoteAddr(), Err: os.NewSyscallError("recvmsg", failed)}
	case count == 0 && len(into) > 0:
		return 0, io.EOF
	}
	if arrived := stampOf(ancillary[:stamps]); arrived != 0 {
		w.seen.note("read", arrived, now())
	}
	return count, nil
}

// Zero when the kernel gave no stamp.
func stampOf(ancillary []byte) int64 {
	messages, err := unix.ParseSocketControlMessage(ancillary)
	if err != nil {
		return 0
	}
	for _, message := range messages {
		if message.Header.Level != unix.SOL_SOCKET || message.Header.Type != unix.SO_TIMESTAMPING || len(message.Data) < 16 {
			continue
		}
		seconds := int64(binary.LittleEndian.Uint64(message.Data))
		if seconds != 0 {
			return seconds*1_000_000_000 + int64(binary.LittleEndian.Uint64(message.Data[8:])) - realtimeOffset
		}
	}
	return 0
}

func dialWatched(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := (&net.Dialer{Control: askForStamps}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return watch(connection), nil
}

type watchedListener struct{ net.Listener }

func (l watchedListener) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return watch(connection), nil
}

func listen(address string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{Control: askForStamps}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	return watchedListener{listener}, nil
}

func writeTransports() {
	if transportsPath == "" {
		return
	}
	file, err := os.Create(transportsPath)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	encoder := json.NewEncoder(file)
	transports.Lock()
	defer transports.Unlock()
	for _, seen := range transports.all {
		seen.lock.Lock()
		if seen.Events == nil {
			seen.Events = [][3]any{}
		}
		if err := encoder.Encode(seen); err != nil {
			panic(err)
		}
		seen.lock.Unlock()
	}
}
