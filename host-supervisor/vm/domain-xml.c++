#include "vm/domain-xml.h"

#include <kj/debug.h>

#include "vm/xml-writer.h"

namespace bothy {
namespace {

constexpr uint64_t MEBIBYTE = 1024 * 1024;
constexpr uint32_t LOWEST_CID = 3;
// Machines never run as a user of the system.
constexpr uint32_t LOWEST_UID = 1000;

void requireSound(const VmSpec& spec) {
  requireMachineName(spec.name);
  KJ_REQUIRE(spec.cpus >= 1, "a machine needs a CPU", spec.name);
  KJ_REQUIRE(spec.memoryBytes > 0 && spec.memoryBytes % MEBIBYTE == 0,
             "memory must be whole MiB to be exact", spec.name, spec.memoryBytes);
  KJ_REQUIRE(spec.cid >= LOWEST_CID, "the vsock address is reserved", spec.name, spec.cid);
  KJ_REQUIRE(spec.uid >= LOWEST_UID, "the user id belongs to the system", spec.name, spec.uid);
  for (auto path : {&spec.kernel, &spec.initramfs, &spec.rootImage, &spec.dataDisk}) {
    KJ_REQUIRE(path->startsWith("/"), "paths of a machine are absolute", spec.name, *path);
  }
}

void pciAddress(XmlWriter& xml, kj::StringPtr slot) {
  xml.leaf("address", {{"type", "pci"}, {"bus", "0x00"}, {"slot", slot}});
}

// The format is stated, never probed, and an image has no other one behind it, whatever it says itself (S15).
void writeRootDisk(XmlWriter& xml, const VmSpec& spec) {
  xml.open("disk", {{"type", "file"}, {"device", "disk"}});
  xml.leaf("driver", {{"name", "qemu"}, {"type", "raw"}, {"cache", "writeback"}});
  xml.leaf("source", {{"file", spec.rootImage}});
  xml.leaf("target", {{"dev", "vda"}, {"bus", "virtio"}});
  xml.leaf("readonly");
  xml.leaf("shareable");
  pciAddress(xml, "0x02");
  xml.close();
}

// What the guest discards goes back to the host.  Zeros that it writes are written as ciphertext: to turn
// them into holes would show the host where they are.
void writeDataDisk(XmlWriter& xml, const VmSpec& spec) {
  xml.open("disk", {{"type", "file"}, {"device", "disk"}});
  xml.leaf("driver",
           {{"name", "qemu"}, {"type", "qcow2"}, {"cache", "writeback"}, {"discard", "unmap"}});
  xml.open("source", {{"file", spec.dataDisk}});
  xml.open("encryption", {{"format", "luks"}});
  xml.leaf("secret", {{"type", "passphrase"}, {"usage", spec.name}});
  xml.close();
  xml.close();
  xml.leaf("backingStore");
  xml.leaf("target", {{"dev", "vdb"}, {"bus", "virtio"}});
  pciAddress(xml, "0x03");
  xml.close();
}

void writeDevices(XmlWriter& xml, const VmSpec& spec, const HostAbilities& abilities,
                  const DomainPaths& paths) {
  xml.open("devices");
  xml.text("emulator", paths.emulator);
  writeRootDisk(xml, spec);
  writeDataDisk(xml, spec);

  xml.leaf("controller", {{"type", "usb"}, {"index", "0"}, {"model", "none"}});
  xml.leaf("controller", {{"type", "pci"}, {"index", "0"}, {"model", "pcie-root"}});
  xml.open("controller", {{"type", "pci"}, {"index", "1"}, {"model", "pcie-root-port"}});
  pciAddress(xml, "0x01");
  xml.close();

  xml.open("rng", {{"model", "virtio"}});
  xml.leaf("backend", {{"model", "builtin"}});
  pciAddress(xml, "0x04");
  xml.close();

  xml.open("serial", {{"type", "unix"}});
  xml.leaf("source", {{"mode", "bind"}, {"path", paths.consoleSocket}});
  xml.open("target", {{"type", "isa-serial"}, {"port", "0"}});
  xml.leaf("model", {{"name", "isa-serial"}});
  xml.close();
  xml.close();

  xml.open("panic", {{"model", "pvpanic"}});
  pciAddress(xml, "0x05");
  xml.close();

  if (abilities.vsock == HostAbilities::Vsock::KERNEL) {
    xml.open("vsock", {{"model", "virtio"}});
    xml.leaf("cid", {{"auto", "no"}, {"address", kj::str(spec.cid)}});
    pciAddress(xml, "0x06");
    xml.close();
  }

  xml.leaf("audio", {{"id", "1"}, {"type", "none"}});
  // Nobody inflates it: by it the guest tells which pages are free, and the host has them back.
  xml.open("memballoon", {{"model", "virtio"}, {"freePageReporting", "on"}});
  pciAddress(xml, "0x07");
  xml.close();
  xml.close();
}

constexpr size_t UUID_DIGITS = 32;

// Memory that was saved goes on in a domain of the same id.
kj::Maybe<kj::String> uuidOf(kj::StringPtr name) {
  if (name.size() != UUID_DIGITS) return nullptr;
  for (char c : name) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return nullptr;
  }
  return kj::heapString(name);
}

}  // namespace

void requireMachineName(kj::StringPtr name) {
  KJ_REQUIRE(name.size() >= 1 && name.size() <= 63, "a machine's name has 1 to 63 characters");
  for (char c : name) {
    KJ_REQUIRE((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-',
               "a machine's name consists of a-z, 0-9 and '-'");
  }
}

kj::String domainXml(const VmSpec& spec, const HostAbilities& abilities, uint32_t group,
                     const DomainPaths& paths) {
  requireSound(spec);
  bool isKvm = abilities.accelerator == HostAbilities::Accelerator::KVM;

  XmlWriter xml;
  xml.open("domain", {{"type", isKvm ? "kvm"_kj : "qemu"_kj},
                      {"xmlns:qemu", "http://libvirt.org/schemas/domain/qemu/1.0"}});
  xml.text("name", spec.name);
  KJ_IF_MAYBE (uuid, uuidOf(spec.name)) xml.text("uuid", *uuid);
  xml.text("memory", kj::str(spec.memoryBytes), {{"unit", "b"}, {"dumpCore", "off"}});
  xml.text("currentMemory", kj::str(spec.memoryBytes), {{"unit", "b"}});

  // Shared, because the vhost-user device maps it; never merged with another machine's pages.
  xml.open("memoryBacking");
  xml.leaf("nosharepages");
  xml.leaf("source", {{"type", "memfd"}});
  xml.leaf("access", {{"mode", "shared"}});
  xml.close();

  xml.text("vcpu", kj::str(spec.cpus), {{"placement", "static"}});

  xml.open("sysinfo", {{"type", "fwcfg"}});
  xml.leaf("entry", {{"name", "opt/bothy/secret"}, {"file", paths.secretFile}});
  xml.close();

  xml.open("os");
  xml.text("type", "hvm", {{"arch", "x86_64"}, {"machine", "q35"}});
  xml.text("loader", paths.firmware, {{"type", "rom"}});
  xml.text("kernel", spec.kernel);
  xml.text("initrd", spec.initramfs);
  xml.text("cmdline", spec.commandLine);
  xml.close();

  xml.open("features");
  xml.leaf("acpi");
  xml.leaf("apic");
  xml.leaf("vmport", {{"state", "off"}});
  xml.leaf("ps2", {{"state", "off"}});
  xml.close();

  if (isKvm) {
    xml.open("cpu", {{"mode", "host-passthrough"}, {"check", "none"}});
  } else {
    xml.open("cpu", {{"mode", "maximum"}, {"check", "none"}});
  }
  xml.leaf("topology",
           {{"sockets", "1"}, {"dies", "1"}, {"cores", kj::str(spec.cpus)}, {"threads", "1"}});
  if (!isKvm) {
    // TCG runs a `rep movsb` byte by byte: a kernel that takes it for fast copies at a quarter of the speed.
    for (auto feature : {"erms", "fsrm"}) {
      xml.leaf("feature", {{"policy", "disable"}, {"name", feature}});
    }
  }
  xml.close();

  xml.leaf("clock", {{"offset", "utc"}});
  xml.text("on_poweroff", "destroy");
  xml.text("on_reboot", "destroy");
  xml.text("on_crash", "destroy");
  xml.open("pm");
  xml.leaf("suspend-to-mem", {{"enabled", "no"}});
  xml.leaf("suspend-to-disk", {{"enabled", "no"}});
  xml.close();

  writeDevices(xml, spec, abilities, paths);

  // Nothing is relabelled: the files that all machines share stay root's (S13), and the workspace's own
  // were given to its user already.
  xml.open("seclabel", {{"type", "static"}, {"model", "dac"}, {"relabel", "no"}});
  xml.text("label", kj::str("+", spec.uid, ":+", group));
  xml.close();

  // q35 brings a disk controller and a bus for sensors that nothing here uses; libvirt cannot leave them
  // out.
  xml.open("qemu:commandline");
  xml.leaf("qemu:arg", {{"value", "-machine"}});
  xml.leaf("qemu:arg", {{"value", "sata=off,smbus=off"}});
  xml.close();
  xml.close();
  return xml.finish();
}

}  // namespace bothy
