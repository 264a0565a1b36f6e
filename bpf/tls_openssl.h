/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * What programs give to OpenSSL to encrypt, and get from it in the clear: at SSL_write, SSL_read and their _ex forms,
 * and at what is like them in BoringSSL and GnuTLS. A write is one hit, at its entry, where the bytes are; a
 * read is two, for where the bytes go is known at the entry and how many they are at the return.
 */
#ifndef TIMESINK_TLS_OPENSSL_H
#define TIMESINK_TLS_OPENSSL_H

#include "plaintext.h"

/* The first 8 bytes of the ClientHello's random, which the library keeps for as long as the connection; 0: not known.
 */
static __always_inline __u64 tls_connection(__u64 where, __u64 library)
{
	__u64 pointer;

	if (!(where & TS_TLS_RANDOM_KNOWN))
		return 0;
	pointer = where >> 16 & 0xffff;
	if (pointer)
		library = ts_read_word(library + pointer);
	return ts_read_word(library + (where & 0xffff));
}

/* SSL_write(ssl, buffer, int), SSL_write_ex(ssl, buffer, size_t, size_t *). False: nothing is to be told. */
static __always_inline bool tls_write(struct pt_regs *regs, __u64 cookie, const bool wide, struct ts_moved *moved)
{
	__s32 narrow = BPF_CORE_READ(regs, dx);

	moved->operation = TS_OPERATION_WRITE;
	moved->library = BPF_CORE_READ(regs, di);
	moved->buffer = BPF_CORE_READ(regs, si);
	moved->length = wide ? BPF_CORE_READ(regs, dx) : narrow > 0 ? narrow : 0;
	moved->connection = tls_connection(cookie, moved->library);
	return true;
}

/* SSL_read(ssl, buffer, int), SSL_read_ex(ssl, buffer, size_t, size_t *) are entered. */
static __always_inline int tls_read(struct pt_regs *regs, const bool wide, const bool btf)
{
	struct ts_thread *thread = ts_thread_of_current(btf);

	if (!thread)
		return 0;
	thread->tls_library = BPF_CORE_READ(regs, di);
	thread->tls_buffer = BPF_CORE_READ(regs, si);
	thread->tls_length_at = wide ? BPF_CORE_READ(regs, cx) : 0;
	return 0;
}

static __always_inline bool tls_read_done(struct pt_regs *regs, __u64 cookie, struct ts_thread *thread,
					  struct ts_moved *moved)
{
	__s32 result = BPF_CORE_READ(regs, ax);

	moved->operation = TS_OPERATION_READ;
	moved->library = thread->tls_library;
	moved->buffer = thread->tls_buffer;
	thread->tls_library = 0;
	if (!moved->library || result <= 0)
		return false;
	moved->length = thread->tls_length_at ? ts_read_word(thread->tls_length_at) : (__u32)result;
	moved->connection = tls_connection(cookie, moved->library);
	return true;
}

#endif
