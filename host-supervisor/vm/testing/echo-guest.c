/* The least init that a machine can have: it answers on vsock port 1000 with what it is told, and does
 * what a line that starts with '!' says.  Static, no threads, no files but /dev. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/vm_sockets.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void blast(int kibibytes) {
  char line[4096];
  memset(line, 'x', sizeof(line));
  line[sizeof(line) - 1] = '\n';
  for (int i = 0; i < kibibytes / 4; i++) {
    if (write(1, line, sizeof(line)) < 0) return;
  }
}

/* "!disks": sizes and writability prove that the two disks are what the machine was given. */
static int describe(char* out, const char* path) {
  int fd = open(path, O_RDONLY);
  off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
  if (fd >= 0) close(fd);
  fd = open(path, O_RDWR);
  int written = fd >= 0 && pwrite(fd, "guest was here", 14, 0) == 14 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  long long number = size;
  char digits[24];
  int count = 0, length = 0;
  do {
    digits[count++] = '0' + number % 10;
    number /= 10;
  } while (number > 0);
  while (count > 0) out[length++] = digits[--count];
  out[length++] = written ? 'w' : 'r';
  out[length++] = ' ';
  return length;
}

/* "!pci": vendor and device of each PCI function, in the order of the directory. */
static int listPci(char* out, int size) {
  DIR* directory = opendir("/sys/bus/pci/devices");
  int length = 0;
  for (struct dirent* entry; directory && (entry = readdir(directory));) {
    if (entry->d_name[0] == '.' || length + 16 > size) continue;
    static const char* const files[] = {"/vendor", "/device"};
    for (int i = 0; i < 2; i++) {
      char path[320] = "/sys/bus/pci/devices/";
      strncat(path, entry->d_name, 256);
      strcat(path, files[i]);
      int fd = open(path, O_RDONLY);
      char text[8];
      if (fd >= 0 && read(fd, text, 7) >= 6) {
        memcpy(out + length, text + 2, 4);
        length += 4;
      }
      if (fd >= 0) close(fd);
      out[length++] = i == 0 ? ':' : ' ';
    }
  }
  if (directory) closedir(directory);
  return length;
}

static int readSecret(char* out, int size) {
  int fd = open("/sys/firmware/qemu_fw_cfg/by_name/opt/bothy/secret/raw", O_RDONLY);
  int count = fd < 0 ? 0 : read(fd, out, size);
  if (fd >= 0) close(fd);
  return count;
}

enum { MEBIBYTE = 1 << 20 };

/* "!fill MEBIBYTES TEXT": TEXT again and again on the second disk, from its second mebibyte on. */
static int fill(const char* arguments) {
  static char block[65536];
  char* text;
  long mebibytes = strtol(arguments, &text, 10);
  size_t length = strcspn(++text, "\n");
  for (size_t i = 0; i < sizeof(block); i++) block[i] = text[i % length];
  int fd = open("/dev/vdb", O_WRONLY);
  int good = fd >= 0 && lseek(fd, MEBIBYTE, SEEK_SET) == MEBIBYTE;
  for (long i = 0; good && i < mebibytes * (MEBIBYTE / (long)sizeof(block)); i++) {
    good = write(fd, block, sizeof(block)) == sizeof(block);
  }
  good = good && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return good;
}

/* "!discard": all of the second disk. */
static int discard(void) {
  int fd = open("/dev/vdb", O_RDWR);
  off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
  unsigned long long range[2] = {0, size};
  int good = size > 0 && ioctl(fd, BLKDISCARD, range) == 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return good;
}

/* "!peek": what `fill` has written first. */
static int peek(char* out, int size) {
  int fd = open("/dev/vdb", O_RDONLY);
  int count = fd < 0 ? 0 : pread(fd, out, size, MEBIBYTE);
  if (fd >= 0) close(fd);
  return count;
}

static int answer(char* out, int good) {
  strcpy(out, good ? "done\n" : "fail\n");
  return strlen(out);
}

static void serve(int peer) {
  char text[4096];
  ssize_t size;
  while ((size = read(peer, text, sizeof(text) - 1)) > 0) {
    static int heard;
    text[size] = 0;
    heard++;
    if (!strncmp(text, "!heard", 6)) size = (text[0] = '0' + heard % 10, 1);
    if (!strncmp(text, "!off", 4)) reboot(RB_POWER_OFF);
    if (!strncmp(text, "!reboot", 7)) reboot(RB_AUTOBOOT);
    if (!strncmp(text, "!crash", 6)) _exit(1);
    if (!strncmp(text, "!blast ", 7)) {
      blast(atoi(text + 7));
      size = answer(text, 1);
    }
    if (!strncmp(text, "!fill ", 6)) size = answer(text, fill(text + 6));
    if (!strncmp(text, "!discard", 8)) size = answer(text, discard());
    if (!strncmp(text, "!peek", 5)) size = peek(text, 64);
    if (!strncmp(text, "!disks", 6)) {
      size = describe(text, "/dev/vda");
      size += describe(text + size, "/dev/vdb");
    }
    if (!strncmp(text, "!pci", 4)) size = listPci(text, sizeof(text));
    if (!strncmp(text, "!secret", 7)) size = readSecret(text, sizeof(text));
    for (ssize_t sent = 0; sent < size;) {
      ssize_t count = write(peer, text + sent, size - sent);
      if (count < 0) return;
      sent += count;
    }
  }
}

int main(void) {
  mkdir("/dev", 0755);
  mkdir("/sys", 0755);
  mount("dev", "/dev", "devtmpfs", 0, 0);
  mount("sys", "/sys", "sysfs", 0, 0);
  int console = open("/dev/console", O_RDWR);
  for (int fd = 0; fd < 3; fd++) dup2(console, fd);

  int listener = socket(AF_VSOCK, SOCK_STREAM, 0);
  struct sockaddr_vm address;
  memset(&address, 0, sizeof(address));
  address.svm_family = AF_VSOCK;
  address.svm_port = 1000;
  address.svm_cid = VMADDR_CID_ANY;
  if (bind(listener, (struct sockaddr*)&address, sizeof(address)) < 0 || listen(listener, 8) < 0) {
    write(1, "no vsock\n", 9);
  }
  write(1, "guest is up\n", 12);
  for (;;) {
    int peer = accept(listener, 0, 0);
    if (peer < 0) continue;
    serve(peer);
    close(peer);
  }
}
