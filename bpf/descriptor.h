/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */
/* From a descriptor of the current thread to its socket. */
#ifndef TIMESINK_DESCRIPTOR_H
#define TIMESINK_DESCRIPTOR_H

#include "probe.h"

struct ts_descriptor {
	const struct sock *sk; /* NULL: not a socket */
	__u64 inode;
};

static __always_inline struct ts_descriptor ts_socket_of_file(const struct file *file)
{
	struct ts_descriptor found = {};
	const struct inode *inode = TS_LOAD(file, f_inode);
	const struct socket *socket;

	if (!inode || (TS_LOAD(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return found;
	found.inode = TS_LOAD(inode, i_ino);
	socket = TS_LOAD(file, private_data);
	found.sk = TS_LOAD(socket, sk);
	return found;
}

static __always_inline struct ts_descriptor ts_descriptor_of(struct task_struct *task, __s32 fd, const bool btf)
{
	struct ts_descriptor none = {};
	struct fdtable *table;
	struct file **files;
	struct file *file;

	table = btf ? task->files->fdt : BPF_CORE_READ(task, files, fdt);
	if (fd < 0 || (__u32)fd >= TS_GET(btf, table, max_fds))
		return none;
	files = TS_GET(btf, table, fd);
	file = ts_load_pointer(files + fd);
	return file ? ts_socket_of_file(file) : none;
}

#endif
