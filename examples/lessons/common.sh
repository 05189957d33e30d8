# What the lessons share: a small cloud that goes when the lesson ends, captures, and checks.
# Sourced by lesson.sh; it expects a running cloud and root.
set -euo pipefail

command -v gureum >/dev/null || { echo "gureum is not on the PATH" >&2; exit 1; }
eval "$(gureum env --shell bash)"
export AWS_PAGER="" AWS_MAX_ATTEMPTS=1
notes=$(mktemp -d)
instances=() # ids, to be terminated
undo=()      # commands that take away what was made, newest first

# --- words ----------------------------------------------------------------------------------------
say() { printf '\n%s\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

# holds WHAT COMMAND...: what the lesson teaches is so, or the lesson ends with 1.
holds() {
  if "${@:2}"; then printf '  ok     %s\n' "$1"; else printf '  WRONG  %s\n' "$1"; exit 1; fi
}
no() { ! "$@"; }

# eventually COMMAND...: it succeeds within ten seconds.
eventually() {
  local _
  for _ in $(seq 100); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done
  return 1
}

# --- a cloud --------------------------------------------------------------------------------------
# network: a VPC 10.77.0.0/16 ($vpc) with a group ($group) whose members may say anything to
# each other.
network() {
  vpc=$(aws ec2 create-vpc --cidr-block 10.77.0.0/16 --query Vpc.VpcId --output text)
  undo=("aws ec2 delete-vpc --vpc-id $vpc" "${undo[@]}")
  group=$(aws ec2 describe-security-groups --output text --query 'SecurityGroups[0].GroupId' \
    --filters "Name=vpc-id,Values=$vpc")
  image=$(aws ec2 describe-images --output text --query 'Images[0].ImageId' \
    --filters 'Name=name,Values=debian-12*')
}

# subnet NAME CIDR: its id is in the variable NAME.
subnet() {
  local id
  id=$(aws ec2 create-subnet --vpc-id "$vpc" --cidr-block "$2" --query Subnet.SubnetId \
    --output text --tag-specifications "ResourceType=subnet,Tags=[{Key=Name,Value=$1}]")
  undo=("aws ec2 delete-subnet --subnet-id $id" "${undo[@]}")
  printf -v "$1" %s "$id"
}

# launch NAME SUBNET [GROUP]: the variable NAME is its id, NAME_ip its address, NAME_mac its
# link-layer address.
launch() {
  local facts
  facts=$(aws ec2 run-instances --image-id "$image" --instance-type t3.nano --subnet-id "$2" \
    --security-group-ids "${3:-$group}" --output text \
    --tag-specifications "ResourceType=instance,Tags=[{Key=Name,Value=$1}]" --query \
    'Instances[0].[InstanceId,PrivateIpAddress,NetworkInterfaces[0].MacAddress]')
  read -r "$1" "$1_ip" "$1_mac" <<<"$facts"
  instances+=("${!1}")
  eventually gureum exec -T "${!1}" -- true
}

# on INSTANCE COMMAND...: runs inside it.
on() { gureum exec -T "$1" -- "${@:2}"; }

# --- captures -------------------------------------------------------------------------------------
# hear NAME INSTANCE FILTER...: note from now on what passes the instance's link.
hear() {
  rm -f "$notes/$1.err" # an earlier capture of the name said that it listens, too
  on "$2" tcpdump --immediate-mode -lnnevi eth0 "${@:3}" >"$notes/$1" 2>"$notes/$1.err" &
  eventually grep -q 'listening on' "$notes/$1.err"
}

# enough INSTANCE...: end its captures, when what was sent had time to arrive.
enough() {
  sleep 0.5
  local each
  for each; do on "$each" pkill tcpdump || true; done
  wait
}

# heard NAME TEXT: whether a capture has a text;  times NAME TEXT: how often.
heard() { grep -aq -- "$2" "$notes/$1"; }
times() { grep -ac -- "$2" "$notes/$1" || true; }

# --- the end --------------------------------------------------------------------------------------
finish() {
  local status=$? each
  trap - EXIT
  if ((${#instances[@]})); then
    aws ec2 terminate-instances --instance-ids "${instances[@]}" >/dev/null || status=1
  fi
  for each in "${undo[@]}"; do # a subnet can go when its instances are gone
    eventually $each || { echo "left behind: $each" >&2; status=1; }
  done
  rm -rf "$notes"
  exit "$status"
}
trap finish EXIT
