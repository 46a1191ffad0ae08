#!/usr/bin/env bash
# The template for Slurm on a real Slurm: starts a cluster of one node in a scratch folder, grades a class of three as an
# array of jobs, merges, and compares with `grade` run directly. Run by hand, as root: tests/slurm.sh [TUTOR]
# It needs Debian's packages slurmctld, slurmd, slurm-client and munge; without them it says so and succeeds.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
for program in munged slurmctld slurmd sbatch; do
  command -v "$program" >/dev/null || { echo "skipped: there is no $program"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: only root can start slurmd here"; exit 0; }
tutor=$(realpath "${1:-target/debug/tinytorch-tutor}")
export TINYTORCH_CACHE=${TINYTORCH_CACHE:-$PWD/target/tmp/cache}

folder=$(mktemp -d /tmp/slurm-XXXXXX)
pids=()
finish() {
  local code=$?
  [ "$code" = 0 ] || tail -n 20 "$folder"/*.log "$folder"/class/*.out 2>/dev/null || true
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill "${pids[i]}" && wait "${pids[i]}" || true; done 2>/dev/null
  rm -rf "$folder"
}
trap finish EXIT

# Waits until a command succeeds, for at most a minute.
until_it() {
  local left=600
  until "$@" >/dev/null 2>&1; do
    ((left-- > 0)) || { echo "this never succeeded: $*"; exit 1; }
    sleep 0.1
  done
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# The cluster: a key, a controller and a node, all in the scratch folder.
chmod 755 "$folder"
mkdir -p "$folder"/{munge,state,spool,bin,class/in}
chmod 700 "$folder"/munge
head -c 1024 /dev/urandom >"$folder/munge/key"
chmod 400 "$folder/munge/key"
munged --foreground --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
  --log-file="$folder/munge/log" --pid-file="$folder/munge/pid" --seed-file="$folder/munge/seed" >"$folder/munged.log" 2>&1 &
pids+=($!)
host=$(hostname -s)
cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
JobAcctGatherType=jobacct_gather/none
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$folder/slurm.conf
until_it test -S "$folder/munge/socket"
slurmctld -D >"$folder/slurmctld.log" 2>&1 &
pids+=($!)
slurmd -D >"$folder/slurmd.log" 2>&1 &
pids+=($!)
is_idle() { sinfo --noheader --format=%t | grep -qx idle; }
until_it is_idle
echo "a cluster of one node: $(sinfo --version), $(sinfo --noheader --format='%N, %c processors, %m MB')"

# The class: two have solved the first module, one has not.
ln -s "$tutor" "$folder/bin/tinytorch-tutor"
export PATH=$folder/bin:$PATH
cd "$folder/class"
"$tutor" init --share-progress no --solved ../solved >/dev/null
"$tutor" init --share-progress no ../starters >/dev/null
for student in ada bob eve; do mkdir "in/$student"; done
cp ../solved/exercises/00_setup.rs in/ada
cp ../starters/exercises/00_setup.rs in/bob
cp ../solved/exercises/00_setup.rs in/eve
printf 'id,name,email\nada,,\nbob,,\neve,,\n' >roster.csv
printf 'title = "A class"\n[[module]]\nname = "00_setup"\n' >course.toml
tinytorch-tutor collect in --roster roster.csv --course course.toml --to submitted
tinytorch-tutor grade submitted --out direct

tinytorch-tutor template slurm --out .
sh submit.sh 3
have_ended() { [ -z "$(squeue --noheader)" ]; }
until_it have_ended
cat ./*.out
diff -r direct results
[ "$(find results -type f | wc -l)" = 3 ] && [ "$(ls shares | wc -l)" = 3 ]
echo "three jobs of an array and one that merged: the same results as without Slurm"
