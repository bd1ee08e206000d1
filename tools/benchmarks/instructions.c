/* A plug-in of QEMU 7 that prints how many instructions the emulated program executed.

   It declares what it uses of QEMU's interface for plug-ins, version 1. Threads do not lock the
   count, so the program that is counted must work in one. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

typedef uint64_t plugin;
struct qemu_plugin_tb;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin, void (*)(plugin, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *, uint64_t);
void qemu_plugin_register_atexit_cb(plugin, void (*)(plugin, void *), void *);

enum { ADD = 0 };
int qemu_plugin_version = 1;
static uint64_t count;

static void translated(plugin id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD, &count, qemu_plugin_tb_n_insns(block));
}

static void finished(plugin id, void *nothing)
{
    (void)id;
    (void)nothing;
    fprintf(stderr, "instructions: %" PRIu64 "\n", count);
}

int qemu_plugin_install(plugin id, const void *about, int arguments, char **values)
{
    (void)about;
    (void)arguments;
    (void)values;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
