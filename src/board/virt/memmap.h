/* SPDX-License-Identifier: Apache-2.0 */
/* Where things are on the `virt` machine: the addresses and interrupt numbers of QEMU's, which
 * guests know by its device tree (and firmware by heart).  SPI n is INTID 32 + n. */
#pragma once
#include <stdint.h>

#define VIRT_SPIS_N 224

#define VIRT_FLASH_BASE 0x00000000u         /* two of them */
#define VIRT_FLASH_BYTES 0x04000000u
#define VIRT_GICD_BASE 0x08000000u
#define VIRT_GICD_BYTES 0x10000u
#define VIRT_GICC_BASE 0x08010000u          /* GICv2 */
#define VIRT_GICC_BYTES 0x10000u
#define VIRT_V2M_BASE 0x08020000u
#define VIRT_V2M_BYTES 0x1000u
#define VIRT_V2M_SPI 48
#define VIRT_V2M_SPIS_N 64
#define VIRT_GICR_BASE 0x080a0000u          /* GICv3: the first 123 CPUs */
#define VIRT_GICR_BYTES 0x00f60000u
#define VIRT_UART_BASE 0x09000000u
#define VIRT_UART_SPI 1
#define VIRT_RTC_BASE 0x09010000u
#define VIRT_RTC_SPI 2
#define VIRT_FW_CFG_BASE 0x09020000u
#define VIRT_FW_CFG_BYTES 0x18u
#define VIRT_GPIO_BASE 0x09030000u
#define VIRT_GPIO_SPI 7
#define VIRT_GPIO_POWER_PIN 3
#define VIRT_VIRTIO_BASE 0x0a000000u
#define VIRT_VIRTIO_BYTES 0x200u
#define VIRT_VIRTIO_SPI 16
#define VIRT_VIRTIO_N 32
#define VIRT_PLATFORM_BASE 0x0c000000u
#define VIRT_PLATFORM_BYTES 0x02000000u
#define VIRT_PLATFORM_SPI 112
#define VIRT_PLATFORM_SPIS_N 64

/* Above RAM, but not below this; each at a multiple of its size. */
#define VIRT_HIGH_BASE UINT64_C(0x4000000000)
#define VIRT_HIGH_GICR_BYTES UINT64_C(0x4000000)    /* 512 CPUs */

/* PPIs, as INTIDs */
#define VIRT_PPI_PMU 23
#define VIRT_PPI_HYP_TIMER 26
#define VIRT_PPI_VIRT_TIMER 27
#define VIRT_PPI_SECURE_TIMER 29
#define VIRT_PPI_PHYS_TIMER 30
