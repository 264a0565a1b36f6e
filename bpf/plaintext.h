/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/* From bytes that a TLS library was given, or gave, to their record. */
#ifndef TIMESINK_PLAINTEXT_H
#define TIMESINK_PLAINTEXT_H

#include "cpython.h"
#include "pipeline.h"
#include "probe_scratch.h"

struct ts_moved {
	__u64 library;	  /* its object for the connection */
	__u64 connection; /* what tells the connection elsewhere; 0: nothing */
	__u64 buffer;
	__u64 length;
	__u8 operation;
	__u8 flags;
};

/* Of connections on which large calls were made; the oldest give way. Key: the library's object. */
struct ts_tls_runs {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct ts_run);
};
struct ts_tls_runs tls_runs SEC(".maps");
__u32 ts_tls_runs_met = 0; /* there has been one: before, a small call need not look for its connection's */

/* Bytes of the begin that are wanted. `packed`: and what lies behind them. Uses the scratch for looking at them. */
static __always_inline __u32 tls_head_wanted(struct ts_probe_scratch *scratch, __u32 pid, const struct ts_moved *moved,
					     bool *packed)
{
	bool reads = moved->operation == TS_OPERATION_READ;
	struct ts_run fresh = {.reads = reads};
	__u64 key = (__u64)pid << 42 ^ moved->library; /* forked processes have the same addresses */
	struct ts_run *run;
	__u32 wanted;

	if (!ts_tls_runs_met && moved->length < TS_BULK_CALL)
		return ts_head_bytes;
	run = bpf_map_lookup_elem(&tls_runs, &key);
	if (!run && moved->length < TS_BULK_CALL)
		return ts_head_bytes;
	if (!run) {
		ts_tls_runs_met = 1;
		bpf_map_update_elem(&tls_runs, &key, &fresh, BPF_ANY);
		run = bpf_map_lookup_elem(&tls_runs, &key);
	}
	if (!run)
		return ts_head_bytes;
	*packed = ts_may_want_pieces(run, moved->length) &&
		  ts_wants_pieces(&scratch->look, moved->buffer, run, reads, moved->length);
	wanted = ts_head_wanted(run, reads, moved->length);
	if (*packed)
		return TS_HEAD_MAX; /* more than a record of TLS has */
	/* Go's buffered readers and writers have 4 KiB: frames of HTTP/2 begin within what fills one. */
	return moved->flags & TS_PLAINTEXT_SOCKET && moved->length == TS_BULK_CALL ? ts_head_bytes : wanted;
}

/* Writes the next `bytes` from `from` on of what is given; false: no more can be written. */
static __always_inline bool tls_emit_piece(struct ts_probe_scratch *scratch, struct ts_thread *thread,
					   const struct ts_moved *moved, __u64 from, __u32 bytes, __u64 now)
{
	struct ts_cpu *cpu = ts_this_cpu();
	void *ring = ts_ring_of(bpf_get_smp_processor_id());
	struct ts_payload *out = (struct ts_payload *)scratch->record;
	__u32 size = sizeof(*out);

	if (!cpu || !ring || !ts_has_room(ring) || (cpu->pending && !ts_report_loss(now)))
		return false;
	TS_OPAQUE(bytes);
	if (bytes > TS_PIECE || bpf_probe_read_user(scratch->record + size, bytes, (void *)(moved->buffer + from)))
		return false;
	__builtin_memset(out, 0, sizeof(*out));
	out->entered = now;
	out->socket = moved->library;
	out->position = from;
	out->pid = thread->pid;
	out->bytes = bytes;
	out->operation = moved->operation;
	out->flags = TS_PAYLOAD_CLEAR;
	size += bytes;
	*(__u64 *)(scratch->record + size) = 0;
	size = (size + 7) & ~7u;
	ts_fill_head(&out->head, cpu, TS_EVENT_PAYLOAD, size, (__u32)bpf_get_current_pid_tgid(), now);
	TS_OPAQUE(size);
	if (size > TS_PROBE_RECORD_MAX || bpf_ringbuf_output(ring, out, size, BPF_RB_NO_WAKEUP)) {
		__sync_fetch_and_add(&cpu->sequence, -1);
		ts_count_loss(cpu, now);
		return false;
	}
	return true;
}

/* What lies between the head and the tail, as far as it is bounded. */
static __noinline int tls_emit_pieces(struct ts_probe_scratch *scratch, struct ts_thread *thread,
				      const struct ts_moved *moved, __u64 now)
{
	__u64 from = TS_HEAD_MAX, end;

	if (!scratch || !thread || !moved || moved->length <= (__u64)TS_HEAD_MAX + ts_tail_bytes)
		return 0;
	end = moved->length - ts_tail_bytes;
	for (__u32 i = 0; i < TS_PIECES && from < end; i++, from += TS_PIECE) {
		__u32 bytes = end - from > TS_PIECE ? TS_PIECE : end - from;

		if (!tls_emit_piece(scratch, thread, moved, from, bytes, now))
			break;
	}
	return 0;
}

/* Copies the begin and the end of the buffer behind the record's fixed part; returns the size of the whole record. */
static __always_inline __u32 tls_capture(struct ts_probe_scratch *scratch, struct ts_plaintext *out, __u32 head)
{
	__u32 tail = ts_tail_bytes, size = sizeof(*out);

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

__noinline int emit_plaintext(struct ts_thread *thread, const struct ts_moved *moved)
{
	struct ts_cpu *cpu = ts_this_cpu();
	void *ring = ts_ring_of(bpf_get_smp_processor_id());
	__u64 now = bpf_ktime_get_ns();
	struct ts_probe_scratch *scratch;
	struct ts_plaintext *out;
	bool packed = false;
	__u32 size, head;

	if (!thread || !moved || !cpu || !ring)
		return 0;
	scratch = ts_scratch_or_loss(cpu, now);
	if (!scratch)
		return 0;
	head = tls_head_wanted(scratch, thread->pid, moved, &packed);
	if (packed)
		tls_emit_pieces(scratch, thread, moved, now);
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
	size = tls_capture(scratch, out, head);
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
