// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/*
 * Where contexts come from: probes on functions of CPython, attached by live/ to each process that runs it. A task's
 * making is one hit, work for an executor two. Copies that a program makes itself are more, and mostly nothing is sent
 * in them (callbacks, timers), so they are probed only where threads that run no tasks work in contexts.
 */
#include "cpython.h"

__u32 ts_python_met = 0;

/* Task.__init__ is entered: what it will make of the task is looked at later, at the thread's next call or task. */
static __always_inline int on_task(struct pt_regs *regs, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	if (!thread)
		return 0;
	if (thread->python_fresh)
		ts_python_settle(thread, bpf_ktime_get_ns());
	thread->python_strange = TS_MAKES_TASKS;
	thread->python_task = regs->di;
	thread->python_task_parent = ts_python_context(thread);
	thread->python_fresh = 1;
	return 0;
}

static __always_inline int on_made(struct pt_regs *regs, bool copies_current, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_context_key key = {.context = regs->ax};
	__u64 no_task = 0;

	if (!thread || !key.context)
		return 0;
	if (thread->python_fresh)
		ts_python_settle(thread, bpf_ktime_get_ns());
	key.pid = thread->pid;
	ts_tell_lineage(thread->pid, key.context, copies_current ? ts_python_context(thread) : 0, bpf_ktime_get_ns());
	bpf_map_update_elem(&known_contexts, &key, &no_task, BPF_ANY);
	return 0;
}

/* PyTypeObject.tp_name, in all versions */
#define TS_TYPE_NAME 24
/* bytes, bytearray, list, tuple: ob_size; of what else a transport may be given it is not 0 */
#define TS_OBJECT_SIZE 16

static __always_inline bool is_of_type(const struct ts_python *python, __u64 object, const char *wanted, const int size)
{
	char name[16] = {};
	__u64 type = ts_read_word(object + python->object_type);

	if (bpf_probe_read_user(name, size, (void *)ts_read_word(type + TS_TYPE_NAME)))
		return false;
	for (int i = 0; i < size; i++)
		if (name[i] != wanted[i])
			return false;
	return true;
}
#define TS_IS_OF_TYPE(python, object, name) is_of_type(python, object, name, sizeof(name))

/*
 * PyTupleObject.ob_item; 3.14 put a hash before it. aiosqlite's queue has (future, function): the thread that takes it
 * holds the future until it takes the next, while the tuple is gone at once, and another is at its address.
 */
static __always_inline __u64 future_in(const struct ts_python *python, __u64 item)
{
	__u64 first;

	if (!TS_IS_OF_TYPE(python, item, "tuple") || ts_read_word(item + TS_OBJECT_SIZE) != 2)
		return 0;
	for (int offset = 24; offset <= 32; offset += 8) {
		first = ts_read_word(item + offset);
		if (first && TS_IS_OF_TYPE(python, first, "_asyncio.Future"))
			return first;
	}
	return 0;
}

/*
 * What stands for the work that is handed on by this item: a concurrent.futures.thread._WorkItem, itself. 0: other
 * things that are put into such queues are not one unit's work.
 */
static __always_inline __u64 work_of(const struct ts_python *python, __u64 item)
{
	return TS_IS_OF_TYPE(python, item, "_WorkItem") ? item : future_in(python, item);
}

/* SimpleQueue.put(item) is entered (METH_FASTCALL: the second argument points to the arguments). */
static __always_inline int on_put(struct pt_regs *regs, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_context_key key = {};
	struct ts_python *python;
	__u32 pid, tid = (__u32)bpf_get_current_pid_tgid();
	__u64 nothing = 0;

	if (!thread)
		return 0;
	pid = thread->pid;
	python = bpf_map_lookup_elem(&python_processes, &pid);
	key.context = python ? work_of(python, ts_read_word(regs->si)) : 0;
	key.pid = pid;
	if (!key.context)
		return 0;
	if (thread->python_fresh)
		ts_python_settle(thread, bpf_ktime_get_ns());
	ts_tell_lineage(pid, key.context, ts_python_context(thread), bpf_ktime_get_ns());
	if (!bpf_map_update_elem(&work_items, &key, &nothing, BPF_NOEXIST))
		__sync_fetch_and_add(&python->waiting_items, 1);
	thread->python_puts = !bpf_map_update_elem(&put_items, &tid, &key.context, BPF_ANY);
	return 0;
}

/* SimpleQueue.put() returns: whom the thread wakes from now on, it wakes for something else. */
static __always_inline int on_put_done(const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);

	if (thread)
		thread->python_puts = 0;
	return 0;
}

/* SimpleQueue.get() returns: what the thread does until the next one is for this item. */
static __always_inline int on_got(struct pt_regs *regs, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_context_key key = {.context = regs->ax};
	struct ts_python *python;
	__u32 pid;

	if (!thread)
		return 0;
	key.pid = pid = thread->pid;
	python = bpf_map_lookup_elem(&python_processes, &pid);
	if (!python)
		return 0;
	thread->python_takes = 1;
	ts_python_settle_offer(thread, python);
	if (key.context && !ts_python_take_item(python, &key)) {
		key.context = future_in(python, key.context);
		if (key.context && !ts_python_take_item(python, &key))
			key.context = 0;
	}
	thread->python_work = key.context;
	if (thread->python_work && thread->python_strange != TS_MAKES_TASKS)
		thread->python_strange = 0;
	return 0;
}

/*
 * uvloop.loop.UVStream: its first member is the libuv handle, whose layout the ABI of libuv 1 keeps (uv.h; type, and
 * the descriptor in uv_stream_t.io_watcher): the same from 0.14 to 0.23.
 */
#define TS_STREAM_HANDLE 24
#define TS_HANDLE_TYPE 16
#define TS_HANDLE_FD 184
#define TS_HANDLE_PIPE 7
#define TS_HANDLE_TCP 12

/* UVStream.write(data), UVStream.writelines(data) is entered. */
static __always_inline int on_written(__u64 stream, __u64 data, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	__u64 handle;
	__u32 type;

	if (!thread || !ts_read_word(data + TS_OBJECT_SIZE))
		return 0;
	handle = ts_read_word(stream + TS_STREAM_HANDLE);
	type = ts_read_word(handle + TS_HANDLE_TYPE);
	if (type != TS_HANDLE_TCP && type != TS_HANDLE_PIPE)
		return 0;
	return ts_python_buffer(thread, stream, (__s32)ts_read_word(handle + TS_HANDLE_FD));
}

#define TS_PYTHON_PROBE(SECTION, NAME, CALL)                                                                           \
	SEC(SECTION) int NAME(struct pt_regs *regs)                                                                    \
	{                                                                                                              \
		const bool btf = true;                                                                                 \
		(void)regs;                                                                                            \
		return CALL;                                                                                           \
	}                                                                                                              \
	SEC(SECTION) int NAME##_raw(struct pt_regs *regs)                                                              \
	{                                                                                                              \
		const bool btf = false;                                                                                \
		(void)regs;                                                                                            \
		return CALL;                                                                                           \
	}

TS_PYTHON_PROBE("uprobe", on_task_made, on_task(regs, btf))
TS_PYTHON_PROBE("uprobe", on_work_put, on_put(regs, btf))
TS_PYTHON_PROBE("uretprobe", on_work_put_done, on_put_done(btf))
TS_PYTHON_PROBE("uretprobe", on_work_got, on_got(regs, btf))
/* by METH_O, and by METH_FASTCALL */
TS_PYTHON_PROBE("uprobe", on_stream_written, on_written(regs->di, regs->si, btf))
TS_PYTHON_PROBE("uprobe", on_stream_written_fast, on_written(regs->di, ts_read_word(regs->si), btf))
/* contextvars.copy_context() */
TS_PYTHON_PROBE("uretprobe", on_context_copied, on_made(regs, true, btf))
/* Context(), Context.copy() */
TS_PYTHON_PROBE("uretprobe", on_context_made, on_made(regs, false, btf))
