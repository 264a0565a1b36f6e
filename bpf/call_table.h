/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/*
 * What is known of each system call of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl): the class that it is counted
 * in, and how its arguments say what it did. Where a call may be on a socket or not, the class is that of what is not.
 */
#ifndef TIMESINK_CALL_TABLE_H
#define TIMESINK_CALL_TABLE_H

#include "probe.h"

#define TS_CALL_NUMBERS 512 /* a power of two */

enum ts_call_shape {
	TS_SHAPE_COUNTED = 0,
	TS_SHAPE_COUNTED_BYTES = 1, /* a positive result is a number of bytes */
	/* these move bytes and are looked at when the descriptor is a socket's */
	TS_SHAPE_READ = 2,	       /* fd, buffer, length */
	TS_SHAPE_READ_VECTOR = 3,      /* fd, iovec[], count */
	TS_SHAPE_RECEIVE = 4,	       /* fd, buffer, length, flags */
	TS_SHAPE_RECEIVE_MESSAGE = 5,  /* fd, msghdr, flags */
	TS_SHAPE_RECEIVE_MESSAGES = 6, /* fd, mmsghdr[], count, flags */
	TS_SHAPE_WRITE = 7,
	TS_SHAPE_WRITE_VECTOR = 8,
	TS_SHAPE_SEND = 9,
	TS_SHAPE_SEND_MESSAGE = 10,
	TS_SHAPE_SEND_MESSAGES = 11,
	TS_SHAPE_SENDFILE = 12, /* out, in */
	TS_SHAPE_SPLICE = 13,	/* in, offset, out */
	/* these change a socket */
	TS_SHAPE_CONNECT = 14,
	TS_SHAPE_ACCEPT = 15,
	TS_SHAPE_CLOSE = 16,
	TS_SHAPE_SHUTDOWN = 17,
	TS_SHAPE_LISTEN = 18,
	/* these are counted, and their bytes are in their arguments */
	TS_SHAPE_MAP = 19,    /* address, length */
	TS_SHAPE_BREAK = 20,  /* new end of the heap */
	TS_SHAPE_ADVISE = 21, /* address, length, advice */
	/* this one is not looked at when it asks of one descriptor whether it is ready, and has no time to wait */
	TS_SHAPE_POLL = 22, /* pollfd[], count, timeout */
	/*
	 * These are not looked at: they wait for nothing, move nothing, and tell what the kernel has in hand. Some
	 * runtimes make hundreds of them in a request (CPython before 3.12: getpid for each asyncio.get_running_loop),
	 * and to count one takes longer than it does. Nor are uretprobe (6.11) and uprobe (6.18): no calls of the
	 * program's, but how probes in it come back to the kernel, most of them ours (arch/x86/kernel/uprobes.c).
	 */
	TS_SHAPE_UNSEEN = 23,
};

struct ts_call_row {
	__u8 call_class;
	__u8 shape;
	__u8 takes_fd; /* the first argument is a descriptor, or goes where one would (futex) */
};

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winitializer-overrides"
static const struct ts_call_row ts_call_rows[TS_CALL_NUMBERS] = {
	[0 ... TS_CALL_NUMBERS - 1] = {TS_CLASS_OTHER, TS_SHAPE_COUNTED, 0},
	[0] = {TS_CLASS_FILE_READ, TS_SHAPE_READ, 1},		      /* read */
	[1] = {TS_CLASS_FILE_WRITE, TS_SHAPE_WRITE, 1},		      /* write */
	[2] = {TS_CLASS_FILE_OPEN, TS_SHAPE_COUNTED, 0},	      /* open */
	[3] = {TS_CLASS_FILE_OPEN, TS_SHAPE_CLOSE, 1},		      /* close */
	[4] = {TS_CLASS_FILE_OPEN, TS_SHAPE_COUNTED, 0},	      /* stat */
	[5] = {TS_CLASS_FILE_OPEN, TS_SHAPE_COUNTED, 1},	      /* fstat */
	[6] = {TS_CLASS_FILE_OPEN, TS_SHAPE_COUNTED, 0},	      /* lstat */
	[7] = {TS_CLASS_POLL, TS_SHAPE_POLL, 0},		      /* poll */
	[9] = {TS_CLASS_MEMORY_MAP, TS_SHAPE_MAP, 0},		      /* mmap */
	[11] = {TS_CLASS_MEMORY_UNMAP, TS_SHAPE_MAP, 0},	      /* munmap */
	[12] = {TS_CLASS_MEMORY_MAP, TS_SHAPE_BREAK, 0},	      /* brk */
	[13] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* rt_sigaction */
	[14] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* rt_sigprocmask */
	[17] = {TS_CLASS_FILE_READ, TS_SHAPE_COUNTED_BYTES, 1},	      /* pread64 */
	[18] = {TS_CLASS_FILE_WRITE, TS_SHAPE_COUNTED_BYTES, 1},      /* pwrite64 */
	[19] = {TS_CLASS_FILE_READ, TS_SHAPE_READ_VECTOR, 1},	      /* readv */
	[20] = {TS_CLASS_FILE_WRITE, TS_SHAPE_WRITE_VECTOR, 1},	      /* writev */
	[23] = {TS_CLASS_POLL, TS_SHAPE_COUNTED, 0},		      /* select */
	[26] = {TS_CLASS_FILE_SYNC, TS_SHAPE_COUNTED, 0},	      /* msync */
	[28] = {TS_CLASS_MEMORY_UNMAP, TS_SHAPE_ADVISE, 0},	      /* madvise */
	[32] = {TS_CLASS_FILE_OPEN, TS_SHAPE_COUNTED, 1},	      /* dup */
	[33] = {TS_CLASS_FILE_OPEN, TS_SHAPE_COUNTED, 1},	      /* dup2 */
	[35] = {TS_CLASS_SLEEP, TS_SHAPE_COUNTED, 0},		      /* nanosleep */
	[39] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* getpid */
	[40] = {TS_CLASS_FILE_READ, TS_SHAPE_SENDFILE, 1},	      /* sendfile */
	[41] = {TS_CLASS_SOCKET_SETUP, TS_SHAPE_COUNTED, 0},	      /* socket */
	[42] = {TS_CLASS_SOCKET_SETUP, TS_SHAPE_CONNECT, 1},	      /* connect */
	[43] = {TS_CLASS_SOCKET_SETUP, TS_SHAPE_ACCEPT, 1},	      /* accept */
	[44] = {TS_CLASS_SOCKET_WRITE, TS_SHAPE_SEND, 1},	      /* sendto */
	[45] = {TS_CLASS_SOCKET_READ, TS_SHAPE_RECEIVE, 1},	      /* recvfrom */
	[46] = {TS_CLASS_SOCKET_WRITE, TS_SHAPE_SEND_MESSAGE, 1},     /* sendmsg */
	[47] = {TS_CLASS_SOCKET_READ, TS_SHAPE_RECEIVE_MESSAGE, 1},   /* recvmsg */
	[48] = {TS_CLASS_SOCKET_SETUP, TS_SHAPE_SHUTDOWN, 1},	      /* shutdown */
	[49] = {TS_CLASS_SOCKET_SETUP, TS_SHAPE_COUNTED, 1},	      /* bind */
	[50] = {TS_CLASS_SOCKET_SETUP, TS_SHAPE_LISTEN, 1},	      /* listen */
	[51] = {TS_CLASS_SOCKET_SETUP, TS_SHAPE_COUNTED, 1},	      /* getsockname */
	[52] = {TS_CLASS_SOCKET_SETUP, TS_SHAPE_COUNTED, 1},	      /* getpeername */
	[53] = {TS_CLASS_SOCKET_SETUP, TS_SHAPE_COUNTED, 0},	      /* socketpair */
	[54] = {TS_CLASS_SOCKET_SETUP, TS_SHAPE_COUNTED, 1},	      /* setsockopt */
	[55] = {TS_CLASS_SOCKET_SETUP, TS_SHAPE_COUNTED, 1},	      /* getsockopt */
	[56] = {TS_CLASS_TASK, TS_SHAPE_COUNTED, 0},		      /* clone */
	[57] = {TS_CLASS_TASK, TS_SHAPE_COUNTED, 0},		      /* fork */
	[58] = {TS_CLASS_TASK, TS_SHAPE_COUNTED, 0},		      /* vfork */
	[59] = {TS_CLASS_TASK, TS_SHAPE_COUNTED, 0},		      /* execve */
	[60] = {TS_CLASS_TASK, TS_SHAPE_COUNTED, 0},		      /* exit */
	[61] = {TS_CLASS_TASK, TS_SHAPE_COUNTED, 0},		      /* wait4 */
	[74] = {TS_CLASS_FILE_SYNC, TS_SHAPE_COUNTED, 1},	      /* fsync */
	[75] = {TS_CLASS_FILE_SYNC, TS_SHAPE_COUNTED, 1},	      /* fdatasync */
	[102] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* getuid */
	[104] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* getgid */
	[107] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* geteuid */
	[108] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* getegid */
	[110] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* getppid */
	[111] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* getpgrp */
	[121] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* getpgid */
	[124] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* getsid */
	[127] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* rt_sigpending */
	[131] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* sigaltstack */
	[186] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* gettid */
	[202] = {TS_CLASS_FUTEX, TS_SHAPE_COUNTED, 1},		      /* futex: the word waited at, as a name */
	[213] = {TS_CLASS_POLL, TS_SHAPE_COUNTED, 0},		      /* epoll_create */
	[230] = {TS_CLASS_SLEEP, TS_SHAPE_COUNTED, 0},		      /* clock_nanosleep */
	[231] = {TS_CLASS_TASK, TS_SHAPE_COUNTED, 0},		      /* exit_group */
	[232] = {TS_CLASS_POLL, TS_SHAPE_COUNTED, 1},		      /* epoll_wait */
	[233] = {TS_CLASS_POLL, TS_SHAPE_COUNTED, 1},		      /* epoll_ctl */
	[247] = {TS_CLASS_TASK, TS_SHAPE_COUNTED, 0},		      /* waitid */
	[257] = {TS_CLASS_FILE_OPEN, TS_SHAPE_COUNTED, 0},	      /* openat */
	[262] = {TS_CLASS_FILE_OPEN, TS_SHAPE_COUNTED, 0},	      /* newfstatat */
	[270] = {TS_CLASS_POLL, TS_SHAPE_COUNTED, 0},		      /* pselect6 */
	[271] = {TS_CLASS_POLL, TS_SHAPE_COUNTED, 0},		      /* ppoll */
	[275] = {TS_CLASS_FILE_READ, TS_SHAPE_SPLICE, 1},	      /* splice */
	[277] = {TS_CLASS_FILE_SYNC, TS_SHAPE_COUNTED, 1},	      /* sync_file_range */
	[281] = {TS_CLASS_POLL, TS_SHAPE_COUNTED, 1},		      /* epoll_pwait */
	[288] = {TS_CLASS_SOCKET_SETUP, TS_SHAPE_ACCEPT, 1},	      /* accept4 */
	[291] = {TS_CLASS_POLL, TS_SHAPE_COUNTED, 0},		      /* epoll_create1 */
	[292] = {TS_CLASS_FILE_OPEN, TS_SHAPE_COUNTED, 1},	      /* dup3 */
	[295] = {TS_CLASS_FILE_READ, TS_SHAPE_COUNTED_BYTES, 1},      /* preadv */
	[296] = {TS_CLASS_FILE_WRITE, TS_SHAPE_COUNTED_BYTES, 1},     /* pwritev */
	[299] = {TS_CLASS_SOCKET_READ, TS_SHAPE_RECEIVE_MESSAGES, 1}, /* recvmmsg */
	[307] = {TS_CLASS_SOCKET_WRITE, TS_SHAPE_SEND_MESSAGES, 1},   /* sendmmsg */
	[322] = {TS_CLASS_TASK, TS_SHAPE_COUNTED, 0},		      /* execveat */
	[326] = {TS_CLASS_FILE_READ, TS_SHAPE_COUNTED_BYTES, 1},      /* copy_file_range */
	[327] = {TS_CLASS_FILE_READ, TS_SHAPE_READ_VECTOR, 1},	      /* preadv2 */
	[328] = {TS_CLASS_FILE_WRITE, TS_SHAPE_WRITE_VECTOR, 1},      /* pwritev2 */
	[332] = {TS_CLASS_FILE_OPEN, TS_SHAPE_COUNTED, 0},	      /* statx */
	[335] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* uretprobe */
	[336] = {TS_CLASS_OTHER, TS_SHAPE_UNSEEN, 0},		      /* uprobe */
	[426] = {TS_CLASS_IO_URING, TS_SHAPE_COUNTED, 1},	      /* io_uring_enter */
	[435] = {TS_CLASS_TASK, TS_SHAPE_COUNTED, 0},		      /* clone3 */
	[437] = {TS_CLASS_FILE_OPEN, TS_SHAPE_COUNTED, 0},	      /* openat2 */
	[441] = {TS_CLASS_POLL, TS_SHAPE_COUNTED, 1},		      /* epoll_pwait2 */
	[449] = {TS_CLASS_FUTEX, TS_SHAPE_COUNTED, 0},		      /* futex_waitv */
	[454] = {TS_CLASS_FUTEX, TS_SHAPE_COUNTED, 0},		      /* futex_wake */
	[455] = {TS_CLASS_FUTEX, TS_SHAPE_COUNTED, 0},		      /* futex_wait */
	[456] = {TS_CLASS_FUTEX, TS_SHAPE_COUNTED, 0},		      /* futex_requeue */
};
#pragma clang diagnostic pop

#endif
