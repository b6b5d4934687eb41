/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A return probe on folio_mkclean(), for the two modules of this directory.
 *
 * Since Linux 2.6.20 (commit 7658cc289288) clear_page_dirty_for_io(), today
 * folio_clear_dirty_for_io(), asks page_mkclean() whether a page table entry was
 * dirty, and tells the filesystem with set_page_dirty() before ->writepage() if one
 * was. In 2.6.19 the entries were cleaned just the same and the answer was dropped.
 * Dropping the answer, for that one caller, is therefore the whole of the bug.
 *
 * The file that includes this one defines PROBE_LOSES_ANSWER as 1 or 0.
 *
 * Copyright (C) 2026 the partialfs authors
 */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>

/* What the guest reads in /sys/module/NAME/parameters, to prove that the probe worked. */
static unsigned long asked;
module_param(asked, ulong, 0444);
MODULE_PARM_DESC(asked, "calls by folio_clear_dirty_for_io");
static unsigned long answered_dirty;
module_param(answered_dirty, ulong, 0444);
MODULE_PARM_DESC(answered_dirty, "of those, calls that found a dirty page table entry");
static unsigned long answers_lost;
module_param(answers_lost, ulong, 0444);
MODULE_PARM_DESC(answers_lost, "of those, answers that this module dropped");

static unsigned long caller_start, caller_end;

/* At entry the return address is on top of the stack: the caller is who it points into. */
static int mkclean_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	unsigned long caller = *(unsigned long *)kernel_stack_pointer(regs);

	if (caller < caller_start || caller >= caller_end)
		return 1; /* someone else's call: no return probe, the answer stays */
	__atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED);
	return 0;
}
NOKPROBE_SYMBOL(mkclean_entry);

static int mkclean_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if ((int)regs_return_value(regs) == 0)
		return 0;
	__atomic_fetch_add(&answered_dirty, 1, __ATOMIC_RELAXED);
	if (PROBE_LOSES_ANSWER) {
		regs_set_return_value(regs, 0);
		__atomic_fetch_add(&answers_lost, 1, __ATOMIC_RELAXED);
	}
	return 0;
}
NOKPROBE_SYMBOL(mkclean_return);

static struct kretprobe mkclean_probe = {
	.kp.symbol_name = "folio_mkclean",
	.entry_handler = mkclean_entry,
	.handler = mkclean_return,
	.maxactive = 128, /* folio_mkclean may sleep: many calls can be under way at once */
};

module_param_named(missed, mkclean_probe.nmissed, int, 0444);
MODULE_PARM_DESC(missed, "calls that went past the probe: more were under way than maxactive");

/* Sets caller_start and caller_end to the bounds of folio_clear_dirty_for_io(). */
static int find_caller(void)
{
	char text[KSYM_SYMBOL_LEN];
	unsigned long offset, size;

	/* "name+0xOFFSET/0xSIZE": the exported way to learn how long a function is. */
	sprint_symbol(text, (unsigned long)folio_clear_dirty_for_io);
	if (sscanf(text, "folio_clear_dirty_for_io+0x%lx/0x%lx", &offset, &size) != 2)
		return -ENOENT;
	caller_start = (unsigned long)folio_clear_dirty_for_io - offset;
	caller_end = caller_start + size;
	return 0;
}

static int __init mkclean_init(void)
{
	int error = find_caller();

	if (error)
		return error;
	error = register_kretprobe(&mkclean_probe);
	if (error)
		return error;
	pr_info("%s: answers of folio_mkclean to folio_clear_dirty_for_io are %s\n",
		KBUILD_MODNAME, PROBE_LOSES_ANSWER ? "dropped, as in 2.6.19" : "kept");
	return 0;
}

static void __exit mkclean_exit(void)
{
	unregister_kretprobe(&mkclean_probe);
	pr_info("%s: asked %lu, dirty %lu, lost %lu, missed %d\n", KBUILD_MODNAME, asked,
		answered_dirty, answers_lost, mkclean_probe.nmissed);
}

module_init(mkclean_init);
module_exit(mkclean_exit);
MODULE_LICENSE("GPL");
