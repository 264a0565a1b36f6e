// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/*
 * What programs give to OpenSSL to encrypt, and get from it in the clear: probes on SSL_write, SSL_read and their _ex
 * forms, attached by live/ wherever a process has mapped them. A write is one hit, at its entry, where the bytes are; a
 * read is two, for where the bytes go is known at the entry and how many they are at the return.
 */
#include "cpython.h"
#include "payload.h"
#include "probe_scratch.h"

/* bpf_get_attach_cookie() came with 5.15. */
enum bpf_func_id___cookie { BPF_FUNC_get_attach_cookie___cookie = 174 };

/* The first 8 bytes of the ClientHello's random, which the library keeps for as long as the connection; 0: not known.
 */
static __always_inline __u64 tls_connection(void *ctx, __u64 library)
{
	__u64 where = 0, pointer;

	if (bpf_core_enum_value_exists(enum bpf_func_id___cookie, BPF_FUNC_get_attach_cookie___cookie))
		where = bpf_get_attach_cookie(ctx);
	if (!(where & TS_TLS_RANDOM_KNOWN))
		return 0;
	pointer = where >> 16 & 0xffff;
	if (pointer)
		library = ts_read_word(library + pointer);
	return ts_read_word(library + (where & 0xffff));
}

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
	return run ? ts_head_wanted(run, reads, out->length) : ts_head_bytes;
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

/* SSL_write(ssl, buffer, int), SSL_write_ex(ssl, buffer, size_t, size_t *) */
static __always_inline int on_write(struct pt_regs *regs, const bool wide, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct tls_moved moved = {.operation = TS_OPERATION_WRITE};

	if (!thread)
		return 0;
	moved.library = regs->di;
	moved.buffer = regs->si;
	moved.length = regs->dx;
	if (!wide)
		moved.length = (__s32)moved.length > 0 ? (__u32)moved.length : 0;
	if (!moved.length || moved.length > TS_PLAINTEXT_MOST)
		return 0;
	moved.connection = tls_connection(regs, moved.library);
	return emit_plaintext(thread, &moved);
}

/* SSL_read(ssl, buffer, int), SSL_read_ex(ssl, buffer, size_t, size_t *) are entered. */
static __always_inline int on_read(struct pt_regs *regs, const bool wide, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);

	if (!thread)
		return 0;
	thread->tls_library = regs->di;
	thread->tls_buffer = regs->si;
	thread->tls_length_at = wide ? regs->cx : 0;
	return 0;
}

static __always_inline int on_read_done(struct pt_regs *regs, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct tls_moved moved = {.operation = TS_OPERATION_READ};
	__s32 result = (__s32)regs->ax;

	if (!thread || !thread->tls_library)
		return 0;
	moved.library = thread->tls_library;
	moved.buffer = thread->tls_buffer;
	thread->tls_library = 0;
	if (result <= 0)
		return 0;
	moved.length = thread->tls_length_at ? ts_read_word(thread->tls_length_at) : (__u32)result;
	if (!moved.length || moved.length > TS_PLAINTEXT_MOST)
		return 0;
	moved.connection = tls_connection(regs, moved.library);
	return emit_plaintext(thread, &moved);
}

#define TS_TLS_PROBE(SECTION, NAME, CALL)                                                                              \
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

TS_TLS_PROBE("uprobe", on_tls_write, on_write(regs, false, btf))
TS_TLS_PROBE("uprobe", on_tls_write_ex, on_write(regs, true, btf))
TS_TLS_PROBE("uprobe", on_tls_read, on_read(regs, false, btf))
TS_TLS_PROBE("uprobe", on_tls_read_ex, on_read(regs, true, btf))
TS_TLS_PROBE("uretprobe", on_tls_read_done, on_read_done(regs, btf))
