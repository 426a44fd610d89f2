// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Driver of @name@: attributes period_ms, run and ticks in /sys/bus/platform/devices/…@name@.
 * `ticks` can be polled: each period wakes the reader.
 */
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#define REG_ID		0x00
#define REG_CONTROL	0x04
#define REG_PERIOD	0x08
#define REG_STATUS	0x0c
#define REG_TICKS	0x10

#define ID_VALUE	0x31544143

struct @name@_priv {
	struct device *dev;
	void __iomem *base;
};

static irqreturn_t @name@_irq(int irq, void *data)
{
	struct @name@_priv *priv = data;
	u32 status = readl(priv->base + REG_STATUS);

	if (!status)
		return IRQ_NONE;
	writel(status, priv->base + REG_STATUS);
	sysfs_notify(&priv->dev->kobj, NULL, "ticks");
	return IRQ_HANDLED;
}

static ssize_t reg_show(struct device *dev, int reg, char *buf)
{
	struct @name@_priv *priv = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", readl(priv->base + reg));
}

static ssize_t reg_store(struct device *dev, int reg, const char *buf, size_t n)
{
	struct @name@_priv *priv = dev_get_drvdata(dev);
	u32 v;
	int rc = kstrtou32(buf, 0, &v);

	if (rc)
		return rc;
	writel(v, priv->base + reg);
	return n;
}

static ssize_t ticks_show(struct device *dev, struct device_attribute *a, char *buf)
{
	return reg_show(dev, REG_TICKS, buf);
}
static DEVICE_ATTR_RO(ticks);

static ssize_t period_ms_show(struct device *dev, struct device_attribute *a, char *buf)
{
	return reg_show(dev, REG_PERIOD, buf);
}

static ssize_t period_ms_store(struct device *dev, struct device_attribute *a, const char *buf,
			       size_t n)
{
	return reg_store(dev, REG_PERIOD, buf, n);
}
static DEVICE_ATTR_RW(period_ms);

static ssize_t run_show(struct device *dev, struct device_attribute *a, char *buf)
{
	return reg_show(dev, REG_CONTROL, buf);
}

static ssize_t run_store(struct device *dev, struct device_attribute *a, const char *buf, size_t n)
{
	return reg_store(dev, REG_CONTROL, buf, n);
}
static DEVICE_ATTR_RW(run);

static struct attribute *@name@_attrs[] = {
	&dev_attr_ticks.attr, &dev_attr_period_ms.attr, &dev_attr_run.attr, NULL
};
ATTRIBUTE_GROUPS(@name@);

static int @name@_probe(struct platform_device *pdev)
{
	struct @name@_priv *priv = devm_kzalloc(&pdev->dev, sizeof(*priv), GFP_KERNEL);
	int irq, rc;

	if (!priv)
		return -ENOMEM;
	priv->dev = &pdev->dev;
	priv->base = devm_platform_ioremap_resource(pdev, 0);
	if (IS_ERR(priv->base))
		return PTR_ERR(priv->base);
	if (readl(priv->base + REG_ID) != ID_VALUE)
		return dev_err_probe(&pdev->dev, -ENODEV, "not a @name@\n");
	platform_set_drvdata(pdev, priv);
	irq = platform_get_irq(pdev, 0);
	if (irq < 0)
		return irq;
	rc = devm_request_irq(&pdev->dev, irq, @name@_irq, 0, dev_name(&pdev->dev), priv);
	if (rc)
		return rc;
	dev_info(&pdev->dev, "ready\n");
	return 0;
}

static const struct of_device_id @name@_match[] = {
	{ .compatible = "example,@name@" },
	{ }
};
MODULE_DEVICE_TABLE(of, @name@_match);

static struct platform_driver @name@_driver = {
	.probe = @name@_probe,
	.driver = {
		.name = "@name@",
		.of_match_table = @name@_match,
		.dev_groups = @name@_groups,
	},
};
module_platform_driver(@name@_driver);

MODULE_DESCRIPTION("Driver of the device @name@");
MODULE_LICENSE("GPL");
