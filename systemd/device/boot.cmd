# U-Boot, for two root file systems: A in partition 2 and B in partition 3. mkimage -T script -d boot.cmd boot.scr
# A new root file system gets one boot to prove itself. The update module rootfs-image sets upgrade_available=1 and
# bootcount=0; if U-Boot comes here again before the update was committed (upgrade_available=0), it boots the other one.
# Of the board's own environment: devtype and devnum (the disk), kernel_addr_r, fdt_addr, ramdisk_addr_r, console; and
# save_environment, a command that stores these variables, if that is not saveenv.

# An environment that cannot be read boots A.
if test "${mender_boot_part}" != 3; then setenv mender_boot_part 2; fi

if test "${upgrade_available}" = 1; then
  if test "${bootcount}" = 0; then
    setenv bootcount 1
  else
    if test "${mender_boot_part}" = 2; then setenv mender_boot_part 3; else setenv mender_boot_part 2; fi
    setenv mender_boot_part_hex ${mender_boot_part}
    setenv upgrade_available 0
    setenv bootcount 0
    echo "U-Boot: the update was not committed; going back to partition ${mender_boot_part}"
  fi
  if test -n "${save_environment}"; then run save_environment; else saveenv; fi
fi

echo "U-Boot: booting partition ${mender_boot_part} (upgrade_available=${upgrade_available} bootcount=${bootcount})"
# panic: a kernel that cannot go on comes back here. rw: what the device keeps lies in partition 4, not in the root.
setenv bootargs root=/dev/vda${mender_boot_part} rw console=${console} panic=5
if load ${devtype} ${devnum}:${mender_boot_part} ${kernel_addr_r} /vmlinuz; then
  if load ${devtype} ${devnum}:${mender_boot_part} ${ramdisk_addr_r} /initrd.img; then
    booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdt_addr}
  fi
fi

# Of a root file system without a kernel: the next boot goes back, if an update brought it.
echo "U-Boot: partition ${mender_boot_part} cannot be booted"
sleep 5
reset
