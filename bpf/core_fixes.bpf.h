/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * Differences between kernels, each with the commit that made it. Everything here is decided when the programs are
 * loaded: libbpf resolves the field, and the verifier removes the branch that is not taken.
 */
#ifndef TIMESINK_CORE_FIXES_BPF_H
#define TIMESINK_CORE_FIXES_BPF_H

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Kernel commit 2f064a59a11f ("sched: Change task_struct::state", 5.14) renamed state to __state and made it 32 bits
 * wide. */
struct task_struct___renamed {
	unsigned int __state;
} __attribute__((preserve_access_index));
struct task_struct___long {
	long state;
} __attribute__((preserve_access_index));

static __always_inline __u32 ts_task_state(const void *task)
{
	const struct task_struct___renamed *renamed = task;

	if (bpf_core_field_exists(renamed->__state))
		return BPF_CORE_READ(renamed, __state);
	return BPF_CORE_READ((const struct task_struct___long *)task, state);
}

/*
 * Kernel commit 9c2136be0878 ("sched/tracing: Append prev_state to tp args instead", 5.18) hands sched_switch the state
 * that the scheduler acted on. Before, prev's own field must do, which a waker on another CPU may already have
 * overwritten. Set by live/ from the BTF of the tracepoint.
 */
extern const volatile bool ts_switch_has_state;

#endif
