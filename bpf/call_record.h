/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/* From a system call that ended to its record, or to the count of its class. Used by the program at sys_exit alone. */
#ifndef TIMESINK_CALL_RECORD_H
#define TIMESINK_CALL_RECORD_H

#include "cpython.h"
#include "descriptor.h"
#include "golang.h"
#include "payload.h"
#include "thread.h"

/* A call that ended: what the exit handler found out about it on the way to its record. */
struct finished {
	__u64 now;
	__u64 entered;
	long result; /* bytes, 0, -errno */
	unsigned long arguments[4];
	struct ts_descriptor descriptor;
	__s32 fd;
	__u16 number;
	__u8 shape;
	__u8 operation;
	__u8 flags;
	__u8 call_class; /* to count it by, should it not be recorded */
	__u8 serves;	 /* the socket is the accepting end of its connection */
	__u8 asks;	 /* it is the connecting end */
};

static __always_inline void count_call(struct ts_thread *thread, __u32 call_class, const struct finished *call,
				       __u64 bytes)
{
	struct ts_call_count *count;

	TS_OPAQUE(call_class);
	if (call_class >= TS_CLASS_COUNT)
		return;
	count = &thread->counts[call_class];
	count->calls++;
	count->nanoseconds += call->now - call->entered;
	count->bytes += bytes;
	if (call->result < 0 && call->result > -4096 && count->errors != 0xffff)
		count->errors++;
	thread->used |= 1u << call_class;
}

/*
 * Puts the counts that are not zero behind the record's fixed part. Their number is kept in memory, where the verifier
 * does not follow it: in a register it would look at all that comes after once for each number.
 */
static __always_inline void take_counts(struct ts_thread *thread, struct ts_scratch *scratch)
{
	scratch->counts = 0;
	if (!thread->used)
		return;
	for (__u32 i = 0; i < TS_CLASS_COUNT; i++) {
		struct ts_call_count *out;
		__u32 count = scratch->counts;

		if (!(thread->used & 1u << i) || count >= TS_CLASS_COUNT)
			continue;
		out = (struct ts_call_count *)(scratch->record + sizeof(struct ts_call)) + count;
		*out = thread->counts[i];
		out->call_class = i;
		scratch->counts = count + 1;
		__builtin_memset(&thread->counts[i], 0, sizeof(thread->counts[i]));
	}
	thread->used = 0;
}

static __always_inline void capture(struct ts_scratch *scratch, struct ts_call *out, __u32 at)
{
	__u64 moved = scratch->capture;
	__u32 head = scratch->head, tail = ts_tail_bytes;

	if (head > moved)
		head = moved;
	if (tail > moved - head)
		tail = moved - head;
	out->head_bytes = ts_copy_first(scratch, at, head) ? head : ts_copy_range(at, 0, head);
	if (out->head_bytes == head && tail)
		out->tail_bytes = ts_copy_range(at + head, moved - tail, moved);
	if (out->head_bytes < head || out->tail_bytes < tail)
		out->flags |= TS_CALL_PAYLOAD_FAULT;
}

/* Of the segments that are looked at. */
static __always_inline bool wrote_all(const struct ts_scratch *scratch, long result)
{
	__u64 wanted = 0;

	for (__u32 i = 0; i < TS_SEGMENTS; i++) {
		if (i >= scratch->segment_count)
			break;
		wanted += scratch->segments[i].length;
	}
	return result >= 0 && (__u64)result >= wanted;
}

/* Whose context the call was made in, by name; 0: none that tells something. */
static __always_inline __u64 context_of(struct ts_thread *thread, const struct ts_scratch *scratch,
					const struct finished *call, __u64 socket, const struct task_struct *task,
					const bool btf)
{
	__u64 context = 0;

	/* Who reads a response is told by who sent the request. */
	if (ts_go_met && !(call->asks && call->operation == TS_OPERATION_READ)) {
		struct ts_go_call go_call = {call->entered, socket, call->operation, call->serves};

		context = ts_go_context_of_call(thread, &go_call);
	}
	if (!ts_python_met)
		return context;
	/* In whose context bytes are read tells nothing: an event loop reads in its own. */
	if (call->operation == TS_OPERATION_WRITE && !context) {
		if (!thread->python.buffers)
			context = ts_python_noted_context(thread, TS_GET(btf, task, thread.fsbase));
		if (!context)
			context = ts_python_context_of_write(thread, call->fd, wrote_all(scratch, call->result));
	}
	/* A connection that fails is nobody's else. */
	if (call->operation == TS_OPERATION_CONNECT && !context)
		context = ts_python_context(thread);
	if (call->operation == TS_OPERATION_CLOSE)
		ts_python_closed(thread->pid, call->fd);
	return context;
}

/* What is known of the call by itself, and what the thread's counters of faults grew by. */
static __always_inline void fill_call(struct ts_call *out, struct ts_thread *thread, const struct finished *call,
				      struct task_struct *task, const bool btf)
{
	__u32 minor = TS_GET(btf, task, min_flt), major = TS_GET(btf, task, maj_flt);

	__builtin_memset(out, 0, sizeof(*out));
	out->entered = call->entered;
	out->result = call->result;
	out->pid = thread->pid;
	out->thread_sequence = thread->sequence++;
	out->fd = call->fd;
	out->minor_faults = minor - thread->minor_faults;
	out->major_faults = major - thread->major_faults;
	out->syscall = call->number;
	out->operation = call->operation;
	out->flags = call->flags;
	thread->minor_faults = minor;
	thread->major_faults = major;
}

/*
 * Writes the record. Counters and faults that it carries are taken from the thread even when it does not fit into the
 * ring. Inline, as all that a call usually comes by: a return costs as much as ten instructions where the kernel guards
 * each against speculation (docs/adr/0021).
 */
static __always_inline int emit_call(struct ts_thread *thread, struct ts_scratch *scratch, const struct finished *call,
				     __u64 socket, __u64 stream_begin, struct task_struct *task, const bool btf)
{
	struct ts_cpu *cpu = ts_this_cpu();
	void *ring = ts_ring_of(bpf_get_smp_processor_id());
	struct ts_call *out;
	__u64 context;
	__u32 size;

	if (!cpu || !ring)
		return 0;
	out = (struct ts_call *)scratch->record;
	fill_call(out, thread, call, task, btf);
	out->socket = socket;
	out->stream_begin = stream_begin;
	take_counts(thread, scratch);
	out->counts = scratch->counts;
	size = sizeof(*out) + out->counts * sizeof(struct ts_call_count);
	if (scratch->capture)
		capture(scratch, out, size);
	size += out->head_bytes + out->tail_bytes;
	TS_OPAQUE(size);
	if (size > TS_RECORD_MAX - 8)
		return 0;
	*(__u64 *)(scratch->record + size) = 0;
	size = (size + 7) & ~7u;
	TS_OPAQUE(size);
	if (size > TS_RECORD_MAX)
		return 0;
	context = context_of(thread, scratch, call, socket, task, btf);
	if (context) {
		*(__u64 *)(scratch->record + size) = context;
		out->flags |= TS_CALL_CONTEXT;
		if (!(context & TS_CONTEXT_GOROUTINE) && call->operation == TS_OPERATION_WRITE)
			ts_python_sent(thread, context);
		size += sizeof(context);
	}
	if (cpu->pending && !ts_report_loss(call->now)) {
		ts_count_loss(cpu, call->now);
		return 0;
	}
	ts_fill_head(&out->head, cpu, TS_EVENT_CALL, size, TS_GET(btf, task, pid), call->now);
	if (bpf_ringbuf_output(ring, out, size, BPF_RB_NO_WAKEUP)) {
		__sync_fetch_and_add(&cpu->sequence, -1);
		ts_count_loss(cpu, call->now);
	}
	return 0;
}

#endif
