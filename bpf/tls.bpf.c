// SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause)
/*
 * The programs at functions of TLS libraries, attached by live/ wherever a process has mapped them. All that tell bytes
 * are one program, which finds in its cookie where it is: the verifier reads some 200,000 instructions of it, once and
 * not for each place. Not by tail calls: a map of programs that bpftool looks at while timesink is killed stays behind
 * for ever (seen on 6.18).
 */
#include "tls_go.h"
#include "tls_openssl.h"

/* bpf_get_attach_cookie() came with 5.15. */
enum bpf_func_id___cookie { BPF_FUNC_get_attach_cookie___cookie = 174 };

static __always_inline bool plaintext_moved(struct pt_regs *regs, __u64 cookie, struct ts_thread *thread,
					    struct ts_moved *moved)
{
	switch (cookie >> TS_PLAINTEXT_PLACE) {
	case TS_PLAINTEXT_WRITE:
		return tls_write(regs, cookie, false, moved);
	case TS_PLAINTEXT_WRITE_EX:
		return tls_write(regs, cookie, true, moved);
	case TS_PLAINTEXT_READ_DONE:
		return tls_read_done(regs, cookie, thread, moved);
	case TS_PLAINTEXT_GO_COPIED:
		return go_tls_copied(regs, thread, moved);
	case TS_PLAINTEXT_GO_READER:
		return go_tls_reader(regs, thread, moved);
	case TS_PLAINTEXT_GO_ENCRYPTED:
		return go_tls_encrypted(regs, thread, moved);
	}
	return false;
}

static __always_inline int tell_plaintext(struct pt_regs *regs, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);
	struct ts_moved moved = {};
	__u64 cookie = 0;

	if (!thread)
		return 0;
	if (bpf_core_enum_value_exists(enum bpf_func_id___cookie, BPF_FUNC_get_attach_cookie___cookie))
		cookie = bpf_get_attach_cookie(regs);
	if (!plaintext_moved(regs, cookie, thread, &moved) || !moved.length || moved.length > TS_PLAINTEXT_MOST)
		return 0;
	return emit_plaintext(thread, &moved);
}

#define TS_TLS_PROBE(NAME, CALL)                                                                                       \
	SEC("uprobe") int NAME(struct pt_regs *regs)                                                                   \
	{                                                                                                              \
		const bool btf = true;                                                                                 \
		return CALL;                                                                                           \
	}                                                                                                              \
	SEC("uprobe") int NAME##_raw(struct pt_regs *regs)                                                             \
	{                                                                                                              \
		const bool btf = false;                                                                                \
		return CALL;                                                                                           \
	}

TS_TLS_PROBE(on_plaintext, tell_plaintext(regs, btf))
TS_TLS_PROBE(on_tls_read, tls_read(regs, false, btf))
TS_TLS_PROBE(on_tls_read_ex, tls_read(regs, true, btf))
TS_TLS_PROBE(on_go_tls_read, go_tls_entered(regs, TS_OPERATION_READ, true, btf))
TS_TLS_PROBE(on_go_tls_write,
	     go_tls_entered(regs, TS_OPERATION_WRITE, (__u8)BPF_CORE_READ(regs, bx) == GO_TLS_DATA, btf))
