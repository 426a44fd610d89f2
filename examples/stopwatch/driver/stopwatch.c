// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Driver for the stopwatch para-virtual device: a memory region shared with the device, two
 * trapping registers in the same page, and a level interrupt, found through the device tree.
 *
 *   /sys/module/stopwatch/parameters/stopwatch_status    write 0-5: a command; read: the state
 *   /sys/module/stopwatch/parameters/stopwatch_timeout   write 1-9: timeout in seconds;
 *                                                        read: interrupts so far
 *   /sys/kernel/debug/stopwatch/stopwatch                opening it updates the text
 *   /dev/stopwatch                                       read: the text, updated at each open;
 *                                                        write: a command as a digit;
 *                                                        poll: readable after a timeout
 */
#include <linux/debugfs.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

/* Registers. The device accepts 32-bit and 64-bit accesses. */
#define STOPWATCH_COMMAND	0x0	/* write */
#define STOPWATCH_STATUS	0x8	/* read */

/* Shared memory. */
#define STOPWATCH_DATA_LEN	0x0	/* bytes of text with the NUL, or seconds of a timeout */
#define STOPWATCH_DATA		0x8
#define STOPWATCH_DATA_MAX	128

#define STOPWATCH_TIMEOUT_MAX_S	9

enum stopwatch_command {
	STOPWATCH_RESET, STOPWATCH_START, STOPWATCH_PAUSE, STOPWATCH_UPDATE, STOPWATCH_TIMEOUT,
	STOPWATCH_ACK, STOPWATCH_COMMANDS
};

static const char * const stopwatch_states[] = { "running", "reset", "paused" };

struct stopwatch {
	void __iomem *mem;
	void __iomem *regs;
	struct mutex lock;		/* a command together with the memory that it uses */
	struct miscdevice misc;
	struct dentry *debugfs;
	atomic_t interrupts;
	wait_queue_head_t expired;
};

/* Module parameters have no device, so there is one. Protected by stopwatch_one_lock. */
static struct stopwatch *stopwatch_one;
static DEFINE_MUTEX(stopwatch_one_lock);

static void stopwatch_command(struct stopwatch *sw, enum stopwatch_command command)
{
	writel(command, sw->regs + STOPWATCH_COMMAND);
}

static void stopwatch_timeout(struct stopwatch *sw, u32 seconds)
{
	mutex_lock(&sw->lock);
	writel(seconds, sw->mem + STOPWATCH_DATA_LEN);
	stopwatch_command(sw, STOPWATCH_TIMEOUT);
	mutex_unlock(&sw->lock);
}

/* Updates the text and copies it; returns its length without the NUL. */
static size_t stopwatch_text(struct stopwatch *sw, char text[STOPWATCH_DATA_MAX + 1])
{
	u32 len;

	mutex_lock(&sw->lock);
	stopwatch_command(sw, STOPWATCH_UPDATE);
	len = min_t(u32, readl(sw->mem + STOPWATCH_DATA_LEN), STOPWATCH_DATA_MAX);
	memcpy_fromio(text, sw->mem + STOPWATCH_DATA, len);
	mutex_unlock(&sw->lock);
	text[len] = '\0';
	return strlen(text);
}

static irqreturn_t stopwatch_irq(int irq, void *data)
{
	struct stopwatch *sw = data;

	stopwatch_command(sw, STOPWATCH_ACK);
	atomic_inc(&sw->interrupts);
	wake_up_interruptible(&sw->expired);
	return IRQ_HANDLED;
}

/* ---- module parameters ---- */

static int stopwatch_status_set(const char *text, const struct kernel_param *kp)
{
	unsigned int command;
	int ret = kstrtouint(text, 0, &command);

	if (ret)
		return ret;
	if (command >= STOPWATCH_COMMANDS)
		return -EINVAL;
	mutex_lock(&stopwatch_one_lock);
	if (stopwatch_one)
		stopwatch_command(stopwatch_one, command);
	else
		ret = -ENODEV;
	mutex_unlock(&stopwatch_one_lock);
	return ret;
}

static int stopwatch_status_get(char *buf, const struct kernel_param *kp)
{
	int ret = -ENODEV;

	mutex_lock(&stopwatch_one_lock);
	if (stopwatch_one) {
		u32 state = readl(stopwatch_one->regs + STOPWATCH_STATUS);

		ret = sysfs_emit(buf, "%s\n", state < ARRAY_SIZE(stopwatch_states) ?
				 stopwatch_states[state] : "unknown");
	}
	mutex_unlock(&stopwatch_one_lock);
	return ret;
}

static const struct kernel_param_ops stopwatch_status_ops = {
	.set = stopwatch_status_set,
	.get = stopwatch_status_get,
};
module_param_cb(stopwatch_status, &stopwatch_status_ops, NULL, 0644);
MODULE_PARM_DESC(stopwatch_status,
		 "0 reset, 1 start, 2 pause, 3 update, 4 timeout, 5 acknowledge");

static int stopwatch_timeout_set(const char *text, const struct kernel_param *kp)
{
	unsigned int seconds;
	int ret = kstrtouint(text, 0, &seconds);

	if (ret)
		return ret;
	if (seconds < 1 || seconds > STOPWATCH_TIMEOUT_MAX_S)
		return -EINVAL;
	mutex_lock(&stopwatch_one_lock);
	if (stopwatch_one)
		stopwatch_timeout(stopwatch_one, seconds);
	else
		ret = -ENODEV;
	mutex_unlock(&stopwatch_one_lock);
	return ret;
}

static int stopwatch_timeout_get(char *buf, const struct kernel_param *kp)
{
	int ret = -ENODEV;

	mutex_lock(&stopwatch_one_lock);
	if (stopwatch_one)
		ret = sysfs_emit(buf, "%d\n", atomic_read(&stopwatch_one->interrupts));
	mutex_unlock(&stopwatch_one_lock);
	return ret;
}

static const struct kernel_param_ops stopwatch_timeout_ops = {
	.set = stopwatch_timeout_set,
	.get = stopwatch_timeout_get,
};
module_param_cb(stopwatch_timeout, &stopwatch_timeout_ops, NULL, 0644);
MODULE_PARM_DESC(stopwatch_timeout, "write: seconds, 1 to 9; read: interrupts so far");

/* ---- files ---- */

struct stopwatch_file {
	struct stopwatch *sw;
	int interrupts_seen;
	size_t len;
	char text[STOPWATCH_DATA_MAX + 2];
};

static int stopwatch_file_open(struct stopwatch *sw, struct file *file)
{
	struct stopwatch_file *f = kzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	f->sw = sw;
	f->interrupts_seen = atomic_read(&sw->interrupts);
	f->len = stopwatch_text(sw, f->text);
	f->text[f->len++] = '\n';
	file->private_data = f;
	return 0;
}

static int stopwatch_debugfs_open(struct inode *inode, struct file *file)
{
	return stopwatch_file_open(inode->i_private, file);
}

static int stopwatch_misc_open(struct inode *inode, struct file *file)
{
	return stopwatch_file_open(container_of(file->private_data, struct stopwatch, misc), file);
}

static int stopwatch_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static ssize_t stopwatch_read(struct file *file, char __user *buf, size_t n, loff_t *pos)
{
	struct stopwatch_file *f = file->private_data;

	return simple_read_from_buffer(buf, n, pos, f->text, f->len);
}

static ssize_t stopwatch_write(struct file *file, const char __user *buf, size_t n, loff_t *pos)
{
	struct stopwatch_file *f = file->private_data;
	unsigned int command;
	int ret = kstrtouint_from_user(buf, n, 0, &command);

	if (ret)
		return ret;
	if (command >= STOPWATCH_COMMANDS)
		return -EINVAL;
	stopwatch_command(f->sw, command);
	return n;
}

static __poll_t stopwatch_poll(struct file *file, poll_table *wait)
{
	struct stopwatch_file *f = file->private_data;

	poll_wait(file, &f->sw->expired, wait);
	return atomic_read(&f->sw->interrupts) != f->interrupts_seen ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_operations stopwatch_debugfs_fops = {
	.owner = THIS_MODULE,
	.open = stopwatch_debugfs_open,
	.release = stopwatch_release,
	.read = stopwatch_read,
	.llseek = default_llseek,
};

static const struct file_operations stopwatch_misc_fops = {
	.owner = THIS_MODULE,
	.open = stopwatch_misc_open,
	.release = stopwatch_release,
	.read = stopwatch_read,
	.write = stopwatch_write,
	.poll = stopwatch_poll,
	.llseek = default_llseek,
};

/* ---- life ---- */

static void stopwatch_forget(void *data)
{
	mutex_lock(&stopwatch_one_lock);
	stopwatch_one = NULL;
	mutex_unlock(&stopwatch_one_lock);
}

static void stopwatch_remove_files(void *data)
{
	struct stopwatch *sw = data;

	debugfs_remove_recursive(sw->debugfs);
	misc_deregister(&sw->misc);
}

/*
 * The memory and the registers share a page, and the memory is RAM of the device: it is mapped
 * as device memory like the registers, because one page cannot have two memory types.
 */
static void __iomem *stopwatch_map(struct platform_device *pdev, unsigned int index)
{
	struct resource *res = platform_get_resource(pdev, IORESOURCE_MEM, index);

	if (!res)
		return IOMEM_ERR_PTR(-ENODEV);
	return devm_ioremap_resource(&pdev->dev, res);
}

static int stopwatch_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct stopwatch *sw;
	int irq, ret;

	sw = devm_kzalloc(dev, sizeof(*sw), GFP_KERNEL);
	if (!sw)
		return -ENOMEM;
	mutex_init(&sw->lock);
	init_waitqueue_head(&sw->expired);
	sw->mem = stopwatch_map(pdev, 0);
	if (IS_ERR(sw->mem))
		return dev_err_probe(dev, PTR_ERR(sw->mem), "no shared memory\n");
	sw->regs = stopwatch_map(pdev, 1);
	if (IS_ERR(sw->regs))
		return dev_err_probe(dev, PTR_ERR(sw->regs), "no registers\n");
	irq = platform_get_irq(pdev, 0);
	if (irq < 0)
		return irq;
	ret = devm_request_irq(dev, irq, stopwatch_irq, 0, "stopwatch", sw);
	if (ret)
		return dev_err_probe(dev, ret, "cannot have interrupt %d\n", irq);

	sw->misc.minor = MISC_DYNAMIC_MINOR;
	sw->misc.name = "stopwatch";
	sw->misc.fops = &stopwatch_misc_fops;
	sw->misc.parent = dev;
	ret = misc_register(&sw->misc);
	if (ret)
		return dev_err_probe(dev, ret, "cannot make /dev/stopwatch\n");
	sw->debugfs = debugfs_create_dir("stopwatch", NULL);
	debugfs_create_file("stopwatch", 0444, sw->debugfs, sw, &stopwatch_debugfs_fops);
	ret = devm_add_action_or_reset(dev, stopwatch_remove_files, sw);
	if (ret)
		return ret;

	mutex_lock(&stopwatch_one_lock);
	if (stopwatch_one)
		dev_warn(dev, "the module parameters stay with the first stopwatch\n");
	else
		stopwatch_one = sw;
	mutex_unlock(&stopwatch_one_lock);
	if (stopwatch_one != sw)
		return 0;
	return devm_add_action_or_reset(dev, stopwatch_forget, sw);
}

static const struct of_device_id stopwatch_of_match[] = {
	{ .compatible = "stopwatch" },
	{ }
};
MODULE_DEVICE_TABLE(of, stopwatch_of_match);

static struct platform_driver stopwatch_driver = {
	.probe = stopwatch_probe,
	.driver = {
		.name = "stopwatch",
		.of_match_table = stopwatch_of_match,
	},
};
module_platform_driver(stopwatch_driver);

MODULE_DESCRIPTION("Stopwatch para-virtual device");
MODULE_LICENSE("GPL");
