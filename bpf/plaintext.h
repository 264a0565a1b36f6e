/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * Bytes that a TLS library was given, or gave. What makes a record of them is a program of its own (plaintext.bpf.c),
 * which those at the functions of the libraries end in: the verifier reads some 200,000 instructions of it, once and
 * not once for each of them.
 */
#ifndef TIMESINK_PLAINTEXT_H
#define TIMESINK_PLAINTEXT_H

#include "ring.h"
#include "thread.h"

struct ts_programs {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TS_PROGRAM_COUNT);
	__type(key, __u32);
	__type(value, __u32);
};
struct ts_programs programs SEC(".maps") __weak;

/* Never comes back but when there is no such program, which counts as a loss. */
static __always_inline int ts_tell_plaintext(void *ctx, struct ts_thread *thread, const struct ts_moved *moved)
{
	struct ts_cpu *cpu = ts_this_cpu();

	thread->moved = *moved;
	bpf_tail_call(ctx, &programs, TS_PROGRAM_PLAINTEXT);
	if (cpu)
		ts_count_loss(cpu, bpf_ktime_get_ns());
	return 0;
}

#endif
