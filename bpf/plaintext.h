/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/* From bytes that a TLS library was given, or gave, to their record. */
#ifndef TIMESINK_PLAINTEXT_H
#define TIMESINK_PLAINTEXT_H

#include "cpython.h"
#include "payload.h"
#include "probe_scratch.h"

/* Of connections on which large calls were made; the oldest give way. Key: the library's object. */
struct ts_tls_runs {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct ts_run);
};
struct ts_tls_runs tls_runs SEC(".maps");
__u32 ts_tls_runs_met = 0; /* there has been one: before, a small call need not look for its connection's */

static __always_inline __u32 tls_head_wanted(const struct ts_plaintext *out)
{
	bool reads = out->operation == TS_OPERATION_READ;
	struct ts_run fresh = {.reads = reads};
	__u64 key = (__u64)out->pid << 42 ^ out->library; /* forked processes have the same addresses */
	struct ts_run *run;
	__u32 wanted;

	if (!ts_tls_runs_met && out->length < TS_BULK_CALL)
		return ts_head_bytes;
	run = bpf_map_lookup_elem(&tls_runs, &key);
	if (!run && out->length < TS_BULK_CALL)
		return ts_head_bytes;
	if (!run) {
		ts_tls_runs_met = 1;
		bpf_map_update_elem(&tls_runs, &key, &fresh, BPF_ANY);
		run = bpf_map_lookup_elem(&tls_runs, &key);
	}
	wanted = run ? ts_head_wanted(run, reads, out->length) : ts_head_bytes;
	/* Go's buffered readers and writers have 4 KiB: frames of HTTP/2 begin within what fills one. */
	return out->flags & TS_PLAINTEXT_SOCKET && out->length == TS_BULK_CALL ? ts_head_bytes : wanted;
}

/* Copies the begin and the end of the buffer behind the record's fixed part; returns the size of the whole record. */
static __always_inline __u32 tls_capture(struct ts_probe_scratch *scratch, struct ts_plaintext *out)
{
	__u32 head = tls_head_wanted(out), tail = ts_tail_bytes, size = sizeof(*out);

	if (head > out->length)
		head = out->length;
	if (tail > out->length - head)
		tail = out->length - head;
	TS_OPAQUE(head);
	if (head <= TS_HEAD_MAX && !bpf_probe_read_user(scratch->record + size, head, (void *)out->buffer)) {
		out->head_bytes = head;
		size += head;
		TS_OPAQUE(size);
		TS_OPAQUE(tail);
		if (tail && size <= sizeof(*out) + TS_HEAD_MAX && tail <= TS_TAIL_MAX &&
		    !bpf_probe_read_user(scratch->record + size, tail, (void *)(out->buffer + out->length - tail))) {
			out->tail_bytes = tail;
			size += tail;
		}
	}
	if (out->head_bytes < head || out->tail_bytes < tail)
		out->flags |= TS_CALL_PAYLOAD_FAULT;
	return size;
}

struct tls_moved {
	__u64 library;
	__u64 connection;
	__u64 buffer;
	__u64 length;
	__u8 operation;
	__u8 flags;
};

static __noinline int emit_plaintext(struct ts_thread *thread, const struct tls_moved *moved)
{
	struct ts_cpu *cpu = ts_this_cpu();
	void *ring = ts_ring_of(bpf_get_smp_processor_id());
	__u64 now = bpf_ktime_get_ns();
	struct ts_probe_scratch *scratch;
	struct ts_plaintext *out;
	__u32 size;

	if (!thread || !moved || !cpu || !ring)
		return 0;
	scratch = ts_take_scratch();
	if (!scratch || (cpu->pending && !ts_report_loss(now))) {
		ts_count_loss(cpu, now);
		if (scratch)
			scratch->taken = 0;
		return 0;
	}
	out = (struct ts_plaintext *)scratch->record;
	__builtin_memset(out, 0, sizeof(*out));
	out->library = moved->library;
	out->connection = moved->connection;
	out->buffer = moved->buffer;
	out->length = moved->length;
	out->operation = moved->operation;
	out->flags = moved->flags;
	out->pid = thread->pid;
	if (ts_python_met && moved->operation == TS_OPERATION_WRITE) {
		if (thread->python_fresh)
			ts_python_settle(thread, now - 1); /* before this is sent in it */
		out->context = ts_python_context(thread);
	}
	size = tls_capture(scratch, out);
	TS_OPAQUE(size);
	if (size <= TS_PROBE_RECORD_MAX - 8) {
		*(__u64 *)(scratch->record + size) = 0;
		size = (size + 7) & ~7u;
		ts_fill_head(&out->head, cpu, TS_EVENT_PLAINTEXT, size, (__u32)bpf_get_current_pid_tgid(), now);
		TS_OPAQUE(size);
		if (size > TS_PROBE_RECORD_MAX || bpf_ringbuf_output(ring, out, size, BPF_RB_NO_WAKEUP)) {
			__sync_fetch_and_add(&cpu->sequence, -1);
			ts_count_loss(cpu, now);
		}
	}
	scratch->taken = 0;
	return 0;
}

#endif
