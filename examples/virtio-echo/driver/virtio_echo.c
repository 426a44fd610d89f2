// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Driver for the echo device: /dev/virtio-echo. What is written comes back, once, when it is read;
 * /sys/bus/virtio/devices/virtioN/answers counts.
 */
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>

#define VIRTIO_ID_ECHO		63
#define VIRTIO_ECHO_F_REVERSE	0
#define ECHO_BYTES_MAX		4096

struct virtio_echo_config {
	__le32 bytes_max;
	__le32 answers;
};

struct virtio_echo {
	struct virtio_device *vdev;
	struct virtqueue *vq;
	struct miscdevice misc;
	struct mutex lock;		/* one text at a time */
	struct completion answered;
	u8 *text, *answer;
	unsigned int answer_bytes;
};

static bool reverse;
module_param(reverse, bool, 0444);
MODULE_PARM_DESC(reverse, "have answers backwards");

static void virtio_echo_done(struct virtqueue *vq)
{
	struct virtio_echo *echo = vq->vdev->priv;

	if (virtqueue_get_buf(vq, &echo->answer_bytes))
		complete(&echo->answered);
}

static ssize_t virtio_echo_write(struct file *file, const char __user *from, size_t n, loff_t *pos)
{
	struct virtio_echo *echo = container_of(file->private_data, struct virtio_echo, misc);
	struct scatterlist out, in, *sgs[] = { &out, &in };
	int ret;

	n = min_t(size_t, n, ECHO_BYTES_MAX);
	if (!n)
		return 0;
	mutex_lock(&echo->lock);
	ret = -EFAULT;
	if (copy_from_user(echo->text, from, n))
		goto out;
	sg_init_one(&out, echo->text, n);
	sg_init_one(&in, echo->answer, n);
	echo->answer_bytes = 0;
	ret = virtqueue_add_sgs(echo->vq, sgs, 1, 1, echo, GFP_KERNEL);
	if (ret)
		goto out;
	virtqueue_kick(echo->vq);
	/* The buffers are the device's until then. */
	wait_for_completion(&echo->answered);
	ret = n;
out:
	mutex_unlock(&echo->lock);
	return ret;
}

static ssize_t virtio_echo_read(struct file *file, char __user *to, size_t n, loff_t *pos)
{
	struct virtio_echo *echo = container_of(file->private_data, struct virtio_echo, misc);
	ssize_t ret;

	mutex_lock(&echo->lock);
	ret = min_t(size_t, n, echo->answer_bytes);
	if (copy_to_user(to, echo->answer, ret))
		ret = -EFAULT;
	else
		echo->answer_bytes = 0;
	mutex_unlock(&echo->lock);
	return ret;
}

static const struct file_operations virtio_echo_fops = {
	.owner = THIS_MODULE,
	.read = virtio_echo_read,
	.write = virtio_echo_write,
	.llseek = noop_llseek,
};

static ssize_t answers_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	u32 answers;

	virtio_cread_le(dev_to_virtio(dev), struct virtio_echo_config, answers, &answers);
	return sysfs_emit(buf, "%u\n", answers);
}
static DEVICE_ATTR_RO(answers);

static int virtio_echo_probe(struct virtio_device *vdev)
{
	struct device *dev = &vdev->dev;
	struct virtio_echo *echo;
	int ret;

	echo = devm_kzalloc(dev, sizeof(*echo), GFP_KERNEL);
	if (!echo)
		return -ENOMEM;
	echo->text = devm_kmalloc(dev, ECHO_BYTES_MAX, GFP_KERNEL);
	echo->answer = devm_kmalloc(dev, ECHO_BYTES_MAX, GFP_KERNEL);
	if (!echo->text || !echo->answer)
		return -ENOMEM;
	mutex_init(&echo->lock);
	init_completion(&echo->answered);
	echo->vdev = vdev;
	vdev->priv = echo;
	echo->vq = virtio_find_single_vq(vdev, virtio_echo_done, "echo");
	if (IS_ERR(echo->vq))
		return PTR_ERR(echo->vq);
	virtio_device_ready(vdev);
	echo->misc.minor = MISC_DYNAMIC_MINOR;
	echo->misc.name = "virtio-echo";
	echo->misc.fops = &virtio_echo_fops;
	echo->misc.parent = dev;
	ret = misc_register(&echo->misc);
	if (ret)
		goto no_misc;
	ret = device_create_file(dev, &dev_attr_answers);
	if (ret)
		goto no_file;
	return 0;
no_file:
	misc_deregister(&echo->misc);
no_misc:
	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
	return ret;
}

static void virtio_echo_remove(struct virtio_device *vdev)
{
	struct virtio_echo *echo = vdev->priv;

	device_remove_file(&vdev->dev, &dev_attr_answers);
	misc_deregister(&echo->misc);
	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
}

static int virtio_echo_validate(struct virtio_device *vdev)
{
	if (!reverse)
		__virtio_clear_bit(vdev, VIRTIO_ECHO_F_REVERSE);
	return 0;
}

static const struct virtio_device_id virtio_echo_ids[] = {
	{ VIRTIO_ID_ECHO, VIRTIO_DEV_ANY_ID },
	{ }
};
MODULE_DEVICE_TABLE(virtio, virtio_echo_ids);

static const unsigned int virtio_echo_features[] = { VIRTIO_ECHO_F_REVERSE };

static struct virtio_driver virtio_echo_driver = {
	.driver.name = "virtio-echo",
	.driver.owner = THIS_MODULE,
	.id_table = virtio_echo_ids,
	.feature_table = virtio_echo_features,
	.feature_table_size = ARRAY_SIZE(virtio_echo_features),
	.validate = virtio_echo_validate,
	.probe = virtio_echo_probe,
	.remove = virtio_echo_remove,
};
module_virtio_driver(virtio_echo_driver);

MODULE_DESCRIPTION("Echo device");
MODULE_LICENSE("GPL");
