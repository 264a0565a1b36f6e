// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/*
 * Where contexts come from: probes on functions of CPython, attached by live/ to each process that runs it. A task's
 * making is one hit. Copies for other ends (callbacks, timers) are several times as many and nothing is sent in them,
 * so they are probed only where threads that run no tasks work in contexts.
 */
#include "cpython.h"

__u32 ts_python_met = 0;

/* Task.__init__ is entered: what it will make of the task is looked at later, at the thread's next call or task. */
static __always_inline int on_task(struct pt_regs *regs, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_fresh_task fresh = {.task = BPF_CORE_READ(regs, di)};
	__u32 tid = (__u32)bpf_get_current_pid_tgid();

	if (!thread)
		return 0;
	if (thread->python_fresh)
		ts_python_settle(thread);
	thread->python_strange = TS_MAKES_TASKS;
	fresh.parent = ts_python_context(thread);
	if (!bpf_map_update_elem(&fresh_tasks, &tid, &fresh, BPF_ANY))
		thread->python_fresh = 1;
	return 0;
}

static __always_inline int on_made(struct pt_regs *regs, bool copies_current, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_context_key key = {.context = BPF_CORE_READ(regs, ax)};
	__u64 no_task = 0;

	if (!thread || !key.context)
		return 0;
	if (thread->python_fresh)
		ts_python_settle(thread);
	key.pid = thread->pid;
	ts_tell_lineage(thread->pid, key.context, copies_current ? ts_python_context(thread) : 0);
	bpf_map_update_elem(&known_contexts, &key, &no_task, BPF_ANY);
	return 0;
}

#define TS_PYTHON_PROBE(SECTION, NAME, CALL)                                                                           \
	SEC(SECTION) int NAME(struct pt_regs *regs)                                                                    \
	{                                                                                                              \
		const bool btf = true;                                                                                 \
		return CALL;                                                                                           \
	}                                                                                                              \
	SEC(SECTION) int NAME##_raw(struct pt_regs *regs)                                                              \
	{                                                                                                              \
		const bool btf = false;                                                                                \
		return CALL;                                                                                           \
	}

TS_PYTHON_PROBE("uprobe", on_task_made, on_task(regs, btf))
/* PyContext_CopyCurrent */
TS_PYTHON_PROBE("uretprobe", on_context_copied, on_made(regs, true, btf))
/* Context(), Context.copy() */
TS_PYTHON_PROBE("uretprobe", on_context_made, on_made(regs, false, btf))
