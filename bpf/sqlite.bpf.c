// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/*
 * What programs have SQLite do, in their own process: probes on its C API, attached by live/ wherever a process has
 * mapped it. A statement without rows costs three hits (its step's entry and return, its reset), each row two more.
 *
 * SQLite uses its own API inside (the schema is read by a statement within the first preparation), so calls within
 * calls are told by the stack, which they are deeper in, and left out.
 */
#include "cpython.h"
#include "payload.h"
#include "probe_scratch.h"

#define SQLITE_OK 0
#define SQLITE_ROW 100

struct ts_sqlite_processes {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct ts_sqlite);
};
struct ts_sqlite_processes sqlite_processes SEC(".maps");

struct ts_sqlite_key {
	__u64 object; /* address */
	__u32 pid;
	__u32 reserved;
};

/* By its object, sqlite3_stmt *. The oldest give way: what they were prepared from is not known any more then. */
struct ts_sqlite_statement {
	__u64 number;	 /* 0: prepared before the attach */
	__u64 execution; /* that it is in; 0: none */
	__u64 first;
	__u64 last;
	__u64 inside;
	__u32 rows;
	__u32 epoch; /* of the process when the execution began */
};
struct ts_sqlite_statements {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct ts_sqlite_key);
	__type(value, struct ts_sqlite_statement);
};
struct ts_sqlite_statements sqlite_statements SEC(".maps");

/* Numbers of databases, by sqlite3 *. */
struct ts_sqlite_databases {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct ts_sqlite_key);
	__type(value, __u64);
};
struct ts_sqlite_databases sqlite_databases SEC(".maps");

__u64 ts_engine_numbers = 0;

static __always_inline __u64 next_number(void)
{
	return __sync_fetch_and_add(&ts_engine_numbers, 1) + 1;
}

/* NULL: SQLite is not followed there. */
static __always_inline struct ts_sqlite *sqlite_of(const struct ts_thread *thread)
{
	__u32 pid = thread->pid;

	return bpf_map_lookup_elem(&sqlite_processes, &pid);
}

/* The stack grows downward: what is called from within a call has its return address below that call's. */
static __always_inline bool is_within(const struct ts_thread *thread, const struct ts_sqlite *process, __u64 stack)
{
	return thread->engine_stack && thread->engine_epoch == process->epoch && stack < thread->engine_stack;
}

/* False: SQLite calls itself. */
static __always_inline bool enter(struct ts_thread *thread, const struct ts_sqlite *process, struct pt_regs *regs)
{
	__u64 stack = regs->sp;

	if (is_within(thread, process, stack))
		return false;
	/* The context that the call is made in was made before it. */
	if (ts_python_met && thread->python_fresh)
		ts_python_settle(thread, bpf_ktime_get_ns());
	thread->engine_stack = stack;
	thread->engine_epoch = process->epoch;
	thread->engine_entered = bpf_ktime_get_ns();
	return true;
}

/* False: the return of something else. */
static __always_inline bool leave(struct ts_thread *thread, struct pt_regs *regs)
{
	if (!thread || !thread->engine_stack || regs->sp <= thread->engine_stack)
		return false;
	thread->engine_stack = 0;
	return true;
}

/* Work in the engine tells of contexts as sending does: a service may send nothing else. */
static __always_inline __u64 context_of_work(struct ts_thread *thread)
{
	__u64 context;

	if (!ts_python_met)
		return 0;
	context = ts_python_context(thread);
	ts_python_sent(thread, context);
	return context;
}

static __always_inline void tell_begin(struct ts_thread *thread, const struct ts_sqlite_statement *statement)
{
	__u64 context = context_of_work(thread);
	struct ts_engine_call *out = ts_reserve(TS_EVENT_ENGINE_CALL, sizeof(*out), (__u32)bpf_get_current_pid_tgid(),
						thread->engine_entered);

	if (!out)
		return;
	out->execution = statement->execution;
	out->statement = statement->number;
	out->context = context;
	out->first = out->last = out->inside = 0;
	out->pid = thread->pid;
	out->rows = 0;
	out->result = 0;
	out->stage = TS_ENGINE_BEGIN;
	out->flags = 0;
	out->reserved = 0;
	ts_submit(out);
}

/* The execution is over. */
static __always_inline void tell_end(const struct ts_thread *thread, struct ts_sqlite_statement *statement,
				     __s32 result, __u8 flags)
{
	struct ts_engine_call *out =
		ts_reserve(TS_EVENT_ENGINE_CALL, sizeof(*out), (__u32)bpf_get_current_pid_tgid(), bpf_ktime_get_ns());

	if (out) {
		out->execution = statement->execution;
		out->statement = out->context = 0;
		out->first = statement->first;
		out->last = statement->last;
		out->inside = statement->inside;
		out->pid = thread->pid;
		out->rows = statement->rows;
		out->result = result;
		out->stage = TS_ENGINE_END;
		out->flags = flags;
		out->reserved = 0;
		ts_submit(out);
	}
	statement->execution = 0;
}

/* sqlite3_step(statement) is entered. */
static __always_inline int on_step(struct pt_regs *regs, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_sqlite *process = thread ? sqlite_of(thread) : NULL;
	struct ts_sqlite_key key = {};
	struct ts_sqlite_statement *statement;

	if (!process)
		return 0;
	__sync_fetch_and_add(&process->steps, 1);
	if (!enter(thread, process, regs))
		return 0;
	thread->engine_object = key.object = regs->di;
	key.pid = thread->pid;
	statement = bpf_map_lookup_elem(&sqlite_statements, &key);
	if (!statement) {
		struct ts_sqlite_statement older = {};

		bpf_map_update_elem(&sqlite_statements, &key, &older, BPF_NOEXIST);
		statement = bpf_map_lookup_elem(&sqlite_statements, &key);
		if (!statement)
			return 0;
	}
	if (statement->execution && statement->epoch == process->epoch)
		return 0;
	statement->execution = next_number();
	statement->first = statement->inside = 0;
	statement->rows = 0;
	statement->epoch = process->epoch;
	tell_begin(thread, statement);
	return 0;
}

static __always_inline int on_step_done(struct pt_regs *regs, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	__s32 result = (__s32)regs->ax;
	struct ts_sqlite_key key = {};
	struct ts_sqlite_statement *statement;

	if (!leave(thread, regs))
		return 0;
	key.object = thread->engine_object;
	key.pid = thread->pid;
	statement = bpf_map_lookup_elem(&sqlite_statements, &key);
	if (!statement || !statement->execution)
		return 0;
	statement->last = bpf_ktime_get_ns();
	statement->inside += statement->last - thread->engine_entered;
	if (!statement->first)
		statement->first = statement->last;
	if (result == SQLITE_ROW)
		statement->rows++;
	else
		tell_end(thread, statement, result, 0);
	return 0;
}

/* sqlite3_reset(statement), sqlite3_finalize(statement) is entered. */
static __always_inline int on_given_up(struct pt_regs *regs, bool for_good, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_sqlite *process = thread ? sqlite_of(thread) : NULL;
	struct ts_sqlite_key key = {};
	struct ts_sqlite_statement *statement;

	if (!process || is_within(thread, process, regs->sp))
		return 0;
	key.object = regs->di;
	key.pid = thread->pid;
	statement = bpf_map_lookup_elem(&sqlite_statements, &key);
	if (!statement)
		return 0;
	/* One that is stepped at this moment, by another thread, waits for that. */
	if (statement->execution && statement->epoch == process->epoch && statement->first)
		tell_end(thread, statement, SQLITE_ROW, TS_ENGINE_RESET);
	if (for_good)
		bpf_map_delete_elem(&sqlite_statements, &key);
	return 0;
}

struct engine_text {
	__u64 number;
	__u64 database;
	__u64 text; /* address */
	__u64 most; /* bytes of it that count */
	__u8 subject;
};

static __noinline int tell_name(struct ts_thread *thread, const struct engine_text *named)
{
	struct ts_cpu *cpu = ts_this_cpu();
	void *ring = ts_ring_of(bpf_get_smp_processor_id());
	__u64 now = bpf_ktime_get_ns();
	struct ts_probe_scratch *scratch;
	struct ts_engine_name *out;
	__u32 size = sizeof(*out), most = ts_head_bytes;
	long got;

	if (!thread || !named || !cpu || !ring)
		return 0;
	scratch = ts_scratch_or_loss(cpu, now);
	if (!scratch)
		return 0;
	out = (struct ts_engine_name *)scratch->record;
	__builtin_memset(out, 0, sizeof(*out));
	out->entered = thread->engine_entered;
	out->number = named->number;
	out->database = named->database;
	out->context = context_of_work(thread);
	out->pid = thread->pid;
	out->subject = named->subject;
	if (most > named->most)
		most = named->most;
	most++; /* the NUL that is put behind it */
	TS_OPAQUE(most);
	got = most <= TS_HEAD_MAX ? bpf_probe_read_user_str(scratch->record + sizeof(*out), most, (void *)named->text)
				  : 0;
	if (got > 0)
		out->text_bytes = got - 1;
	if (got <= 0 || (got == most && named->most >= most))
		out->flags |= TS_ENGINE_CUT;
	size += out->text_bytes;
	TS_OPAQUE(size);
	if (size <= TS_PROBE_RECORD_MAX - 8) {
		*(__u64 *)(scratch->record + size) = 0;
		size = (size + 7) & ~7u;
		ts_fill_head(&out->head, cpu, TS_EVENT_ENGINE_NAME, size, (__u32)bpf_get_current_pid_tgid(), now);
		TS_OPAQUE(size);
		if (size > TS_PROBE_RECORD_MAX || bpf_ringbuf_output(ring, out, size, BPF_RB_NO_WAKEUP)) {
			__sync_fetch_and_add(&cpu->sequence, -1);
			ts_count_loss(cpu, now);
		}
	}
	scratch->taken = 0;
	return 0;
}

#define TS_TEXT_MOST (1u << 30) /* SQLITE_MAX_SQL_LENGTH */

/* sqlite3_prepare_v2(db, sql, bytes, &statement, &tail), _v3(db, sql, bytes, flags, &statement, &tail) */
static __always_inline int on_prepare(struct pt_regs *regs, const bool flagged, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_sqlite *process = thread ? sqlite_of(thread) : NULL;

	if (!process || !enter(thread, process, regs))
		return 0;
	thread->engine_object = regs->di;
	thread->engine_text = regs->si;
	thread->engine_length = (__s32)regs->dx;
	thread->engine_out = flagged ? regs->r8 : regs->cx;
	thread->engine_tail = flagged ? regs->r9 : regs->r8;
	return 0;
}

/* The number of the database; one that was opened before the attach gets it now. */
static __always_inline __u64 database_number(const struct ts_sqlite_key *key)
{
	const __u64 *known = bpf_map_lookup_elem(&sqlite_databases, key);
	__u64 number;

	if (known)
		return *known;
	number = next_number();
	bpf_map_update_elem(&sqlite_databases, key, &number, BPF_ANY);
	return number;
}

static __always_inline int on_prepare_done(struct pt_regs *regs, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_sqlite_statement prepared = {};
	struct ts_sqlite_key key = {}, database = {};
	struct engine_text named = {.subject = TS_ENGINE_STATEMENT};
	__u64 tail;

	if (!leave(thread, regs) || (__s32)regs->ax != SQLITE_OK)
		return 0;
	key.object = ts_read_word(thread->engine_out);
	if (!key.object)
		return 0; /* an empty text */
	database.object = thread->engine_object;
	key.pid = database.pid = thread->pid;
	named.number = prepared.number = next_number();
	named.database = database_number(&database);
	named.text = thread->engine_text;
	named.most = thread->engine_length < 0 ? TS_TEXT_MOST : (__u32)thread->engine_length;
	/* The text may hold statements behind this one. */
	tail = thread->engine_tail ? ts_read_word(thread->engine_tail) : 0;
	if (tail > named.text && tail - named.text < named.most)
		named.most = tail - named.text;
	bpf_map_update_elem(&sqlite_statements, &key, &prepared, BPF_ANY);
	return tell_name(thread, &named);
}

/* sqlite3_open(file, &db), sqlite3_open_v2(file, &db, flags, vfs) */
static __always_inline int on_open(struct pt_regs *regs, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_sqlite *process = thread ? sqlite_of(thread) : NULL;

	if (!process || !enter(thread, process, regs))
		return 0;
	thread->engine_text = regs->di;
	thread->engine_out = regs->si;
	return 0;
}

static __always_inline int on_open_done(struct pt_regs *regs, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_sqlite_key key = {};
	struct engine_text named = {.subject = TS_ENGINE_DATABASE, .most = TS_TEXT_MOST};

	if (!leave(thread, regs) || (__s32)regs->ax != SQLITE_OK)
		return 0;
	key.object = ts_read_word(thread->engine_out);
	key.pid = thread->pid;
	if (!key.object)
		return 0;
	named.number = next_number();
	named.text = thread->engine_text;
	bpf_map_update_elem(&sqlite_databases, &key, &named.number, BPF_ANY);
	return tell_name(thread, &named);
}

#define TS_SQLITE_PROBE(SECTION, NAME, CALL)                                                                           \
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

TS_SQLITE_PROBE("uprobe", on_sqlite_step, on_step(regs, btf))
TS_SQLITE_PROBE("uretprobe", on_sqlite_step_done, on_step_done(regs, btf))
TS_SQLITE_PROBE("uprobe", on_sqlite_reset, on_given_up(regs, false, btf))
TS_SQLITE_PROBE("uprobe", on_sqlite_finalize, on_given_up(regs, true, btf))
TS_SQLITE_PROBE("uprobe", on_sqlite_prepare, on_prepare(regs, false, btf))
TS_SQLITE_PROBE("uprobe", on_sqlite_prepare_v3, on_prepare(regs, true, btf))
TS_SQLITE_PROBE("uretprobe", on_sqlite_prepare_done, on_prepare_done(regs, btf))
TS_SQLITE_PROBE("uprobe", on_sqlite_open, on_open(regs, btf))
TS_SQLITE_PROBE("uretprobe", on_sqlite_open_done, on_open_done(regs, btf))
