// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/*
 * Where goroutines come from, and who asks net/http's client for a request: probes at the entry of functions of the Go
 * runtime and library, attached by live/ to each process that runs Go. At entries only: a return probe puts an address
 * of the kernel's on the stack, which Go's runtime finds when it moves or unwinds that stack, and ends the program.
 *
 * Arguments are in registers since Go 1.17: ax, bx, cx, di, …, receivers first (cmd/compile/abi-internal.md).
 */
#include "golang.h"
#include "descriptor.h"
#include "socket.h"

__u32 ts_go_met = 0;

#define GO_DEAD 6	  /* _Gdead of runtime2.go, 1.17 to 1.26: not in use, or being made */
#define GO_SCANNED 0x1000 /* _Gscan, a bit beside the status */

/*
 * newproc1 prepares a new goroutine, which bears no number yet: gostartcallfn(&g.sched, function) is entered, in 1.17
 * (where that is inlined) isSystemGoroutine(g). Not newproc1 itself: at its entry there is no new g. The latter is also
 * asked when a goroutine ends, by itself, and of those that live (traces, profiles).
 */
static __always_inline int on_goroutine(struct pt_regs *regs, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	__u64 now = bpf_ktime_get_ns();
	struct ts_goroutine_key key = {};
	const struct ts_go *go;
	__u64 maker, start, number;
	__u32 pid;
	__u8 not_yet = 0;

	if (!thread)
		return 0;
	pid = thread->pid;
	go = bpf_map_lookup_elem(&go_processes, &pid);
	if (!go)
		return 0;
	key.goroutine = regs->ax - go->prepared;
	key.pid = pid;
	if ((ts_read_half(key.goroutine + go->status) & ~GO_SCANNED) != GO_DEAD ||
	    ts_go_current(thread, go, &number) == key.goroutine)
		return 0;
	maker = ts_go_context(thread, now);
	start = go->prepared ? regs->bx : key.goroutine + go->start;
	ts_tell_goroutine(pid, TS_CONTEXT_BIRTH | key.goroutine, maker, ts_read_half(start), now);
	bpf_map_update_elem(&go_births, &key, &not_yet, BPF_ANY);
	return 0;
}

/*
 * (*persistConn).roundTrip is entered, by the goroutine that asks. A connection of HTTP/1 has one request at a time, so
 * what its own goroutine will write there, until this happens again, is that one's.
 */
static __always_inline int on_http_request(struct pt_regs *regs, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_descriptor descriptor;
	struct ts_known *known;
	const struct ts_go *go;
	__u64 name, socket;
	__u32 pid;

	if (!thread)
		return 0;
	pid = thread->pid;
	go = bpf_map_lookup_elem(&go_processes, &pid);
	name = ts_go_context(thread, bpf_ktime_get_ns());
	if (!go || !name)
		return 0;
	descriptor = ts_descriptor_of(ts_current(btf), ts_go_descriptor_of(ts_read_word(regs->ax + go->connection + 8)),
				      btf);
	known = descriptor.sk ? ts_find_socket(descriptor.sk, descriptor.inode) : NULL;
	if (!known)
		return 0;
	socket = known->id;
	bpf_map_update_elem(&go_requests, &socket, &name, BPF_ANY);
	return 0;
}

/*
 * (*persistConn).writeLoop is entered, once for each connection, in a goroutine that whoever first needed the
 * connection made: it will write for others too, so it is nobody's child.
 */
static __always_inline int on_http_writer(const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	__u64 now = bpf_ktime_get_ns();
	__u64 name;

	if (!thread)
		return 0;
	name = ts_go_context(thread, now);
	if (name)
		ts_tell_goroutine(thread->pid, name, 0, 0, now);
	return 0;
}

#define TS_GO_PROBE(NAME, CALL)                                                                                        \
	SEC("uprobe") int NAME(struct pt_regs *regs)                                                                   \
	{                                                                                                              \
		const bool btf = true;                                                                                 \
		(void)regs;                                                                                            \
		return CALL;                                                                                           \
	}                                                                                                              \
	SEC("uprobe") int NAME##_raw(struct pt_regs *regs)                                                             \
	{                                                                                                              \
		const bool btf = false;                                                                                \
		(void)regs;                                                                                            \
		return CALL;                                                                                           \
	}

TS_GO_PROBE(on_goroutine_made, on_goroutine(regs, btf))
TS_GO_PROBE(on_http_request_made, on_http_request(regs, btf))
TS_GO_PROBE(on_http_writer_made, on_http_writer(btf))
