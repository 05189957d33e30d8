#!/usr/bin/env bash
# A NAT gateway puts its own address in the place of many; who is outside sees one sender only.
source "$(dirname "$0")/../common.sh"

later() { undo=("$*" "${undo[@]}"); }

network
subnet outside 10.77.1.0/24
subnet inside 10.77.2.0/24

say "An internet gateway, and a NAT gateway in the subnet outside:"
gate=$(aws ec2 create-internet-gateway --query InternetGateway.InternetGatewayId --output text)
later "aws ec2 delete-internet-gateway --internet-gateway-id $gate"
aws ec2 attach-internet-gateway --internet-gateway-id "$gate" --vpc-id "$vpc"
later "aws ec2 detach-internet-gateway --internet-gateway-id $gate --vpc-id $vpc"
out=$(aws ec2 create-route-table --vpc-id "$vpc" --query RouteTable.RouteTableId --output text)
later "aws ec2 delete-route-table --route-table-id $out"
aws ec2 create-route --route-table-id "$out" --destination-cidr-block 0.0.0.0/0 \
  --gateway-id "$gate" >/dev/null
joined=$(aws ec2 associate-route-table --route-table-id "$out" --subnet-id "$outside" \
  --query AssociationId --output text)
later "aws ec2 disassociate-route-table --association-id $joined"
read -r address public < <(aws ec2 allocate-address --query '[AllocationId,PublicIp]' --output text)
later "aws ec2 release-address --allocation-id $address"
nat=$(aws ec2 create-nat-gateway --subnet-id "$outside" --allocation-id "$address" \
  --query NatGateway.NatGatewayId --output text)
later "aws ec2 delete-nat-gateway --nat-gateway-id $nat"
main=$(aws ec2 describe-route-tables --query 'RouteTables[0].RouteTableId' --output text \
  --filters "Name=vpc-id,Values=$vpc" Name=association.main,Values=true)
aws ec2 create-route --route-table-id "$main" --destination-cidr-block 0.0.0.0/0 \
  --nat-gateway-id "$nat" >/dev/null
launch one "$inside"
launch two "$inside"

say "one and two, which have private addresses only, ping a host of the internet:"
mirror=198.19.0.20
hear one "$one" icmp
hear two "$two" icmp
for each in "$one" "$two"; do
  eventually on "$each" ping -c 1 -W 1 "$mirror"
done
enough "$one" "$two"
holds "one sent from $one_ip" heard one "$one_ip > $mirror: ICMP echo request"
holds "two sent from $two_ip" heard two "$two_ip > $mirror: ICMP echo request"
holds "one was answered" heard one "$mirror > $one_ip: ICMP echo reply"
holds "two was answered" heard two "$mirror > $two_ip: ICMP echo reply"

say "What the gateways remember: which sender an answer belongs to"
show gureum table conntrack "$gate"
gureum table conntrack "$gate" >"$notes/outside"
show gureum table nat "$nat"
gureum table nat "$nat" >"$notes/inside"
holds "the NAT gateway knows one" grep -q "$one_ip" "$notes/inside"
holds "the NAT gateway knows two" grep -q "$two_ip" "$notes/inside"
holds "outside the answers go to $public" grep -q "$public" "$notes/outside"
holds "outside nobody knows $one_ip" no grep -qw "$one_ip" "$notes/outside"
holds "nor $two_ip" no grep -qw "$two_ip" "$notes/outside"
