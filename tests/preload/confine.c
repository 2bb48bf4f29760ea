/* A library for LD_PRELOAD: from its start on the process is killed by the kernel where it writes
 * to the file system, starts a program or another process, or makes memory executable. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define LOAD(field)    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_##action)
#define KILL(name)     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), RETURN(KILL_PROCESS)

/* Kills a call whose argument has one of these bits. */
#define KILL_BITS(name, argument, bits)                                                            \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 4), LOAD(args[argument]),                   \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1), RETURN(KILL_PROCESS), RETURN(ALLOW)

static struct sock_filter program[] = {
    LOAD(nr),
    /* its flags are out of a filter's sight: the C library goes on with clone */
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
    RETURN(ERRNO | ENOSYS),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
    LOAD(args[0]),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
    RETURN(KILL_PROCESS),
    RETURN(ALLOW),
    KILL_BITS(openat, 2, O_WRONLY | O_RDWR | O_CREAT),
    KILL_BITS(mprotect, 2, PROT_EXEC),
    KILL(openat2),
    KILL(execve),
    KILL(execveat),
    KILL(mkdirat),
    KILL(mknodat),
    KILL(unlinkat),
    KILL(symlinkat),
    KILL(linkat),
    KILL(renameat2),
    KILL(truncate),
    KILL(ftruncate),
    KILL(fchmod),
    KILL(fchmodat),
    KILL(fchown),
    KILL(fchownat),
    KILL(memfd_create),
    KILL(ptrace),
    KILL(process_vm_readv),
    KILL(process_vm_writev),
    KILL(setuid),
    KILL(setgid),
    KILL(mount),
    KILL(unshare),
    KILL(bpf),
    KILL(io_uring_setup),
#ifdef __x86_64__
    KILL_BITS(open, 1, O_WRONLY | O_RDWR | O_CREAT),
    KILL(fork),
    KILL(vfork),
    KILL(creat),
    KILL(mkdir),
    KILL(mknod),
    KILL(rmdir),
    KILL(unlink),
    KILL(symlink),
    KILL(link),
    KILL(rename),
    KILL(renameat),
    KILL(chmod),
    KILL(chown),
#endif
    RETURN(ALLOW),
};

__attribute__((constructor)) static void confine(void) {
    const struct sock_fprog filter = {sizeof program / sizeof *program, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        perror("confine");
        exit(125);
    }
    if (getenv("CONFINE_CHECK")) /* shows that the filter bites */
        fclose(fopen("/dev/null", "w"));
}
