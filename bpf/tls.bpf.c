// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/*
 * What programs give to OpenSSL to encrypt, and get from it in the clear: probes on SSL_write, SSL_read and their _ex
 * forms, attached by live/ wherever a process has mapped them. A write is one hit, at its entry, where the bytes are; a
 * read is two, for where the bytes go is known at the entry and how many they are at the return.
 */
#include "cpython.h"
#include "plaintext.h"

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

/* SSL_write(ssl, buffer, int), SSL_write_ex(ssl, buffer, size_t, size_t *) */
static __always_inline int on_write(struct pt_regs *regs, const bool wide, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_moved moved = {.operation = TS_OPERATION_WRITE};

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
	return ts_tell_plaintext(regs, thread, &moved);
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
	struct ts_moved moved = {.operation = TS_OPERATION_READ};
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
	return ts_tell_plaintext(regs, thread, &moved);
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
