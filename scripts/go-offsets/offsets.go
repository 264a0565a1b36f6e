// Command offsets prints the offsets of the structure members that timesink reads in a Go program, from its debug information.
package main

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"log"
	"os"
)

// moduledata's are words 20 to 23 of userspace/runtime/go_image.cpp; netFD's and poll.FD's, ts_go_descriptor of bpf/golang.bpf.c.
var wanted = map[string][]string{
	"runtime.g":            {"goid", "m", "atomicstatus", "startpc", "sched"},
	"runtime.m":            {"curg", "procid"},
	"runtime.moduledata":   {"pcHeader", "minpc", "maxpc", "text", "etext"},
	"net/http.persistConn": {"conn"},
	"net.netFD":            {"pfd", "family", "sotype"},
	"internal/poll.FD":     {"Sysfd"},
	"crypto/tls.Conn":      {"conn"},
}

func main() {
	file, err := elf.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	data, err := file.DWARF()
	if err != nil {
		log.Fatal(err)
	}
	reader := data.Reader()
	for {
		entry, err := reader.Next()
		if err != nil {
			log.Fatal(err)
		}
		if entry == nil {
			return
		}
		name, _ := entry.Val(dwarf.AttrName).(string)
		members := wanted[name]
		if entry.Tag != dwarf.TagStructType || members == nil {
			continue
		}
		found, err := data.Type(entry.Offset)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("  %s:", name)
		for _, member := range members {
			for _, field := range found.(*dwarf.StructType).Field {
				if field.Name == member {
					fmt.Printf(" %s %d", member, field.ByteOffset)
				}
			}
		}
		fmt.Println()
	}
}
