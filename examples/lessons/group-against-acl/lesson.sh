#!/usr/bin/env bash
# A security group remembers whom it let in and lets the answer out; a network ACL remembers nothing.
source "$(dirname "$0")/../common.sh"

network
subnet here 10.77.1.0/24
subnet there 10.77.2.0/24
launch client "$here"
launch server "$there"
on "$server" timeout 600 nc -lk -p 8080 >/dev/null &
eventually sh -c "gureum table socket $server | grep -w 8080"

# meets STATE: what a connection from client to port 8080 of server meets.
meets() {
  gureum port "$client" "$server" 8080 >"$notes/met" || true
  cat "$notes/met"
  grep -q "  $1  " "$notes/met"
}

say "A group that lets tcp 8080 in and nothing out:"
door=$(aws ec2 create-security-group --vpc-id "$vpc" --group-name door --description door \
  --query GroupId --output text)
aws ec2 authorize-security-group-ingress --group-id "$door" --protocol tcp --port 8080 \
  --cidr 10.77.0.0/16 >/dev/null
aws ec2 revoke-security-group-egress --group-id "$door" --protocol all --cidr 0.0.0.0/0 >/dev/null
aws ec2 modify-instance-attribute --instance-id "$server" --groups "$door"
undo=("${undo[@]:0:2}" "aws ec2 delete-security-group --group-id $door" "${undo[@]:2}")
holds "it works: the answer belongs to a connection that was let in" meets open
holds "the server cannot call anybody itself" no on "$server" nc -z -w 2 "$client_ip" 22

say "An ACL that lets tcp 8080 in and nothing out:"
acl=$(aws ec2 create-network-acl --vpc-id "$vpc" --query NetworkAcl.NetworkAclId --output text)
undo=("${undo[@]:0:2}" "aws ec2 delete-network-acl --network-acl-id $acl" "${undo[@]:2}")
aws ec2 create-network-acl-entry --network-acl-id "$acl" --ingress --rule-number 100 \
  --protocol tcp --port-range From=8080,To=8080 --cidr-block 10.77.0.0/16 --rule-action allow
old=$(aws ec2 describe-network-acls --filters "Name=association.subnet-id,Values=$there" --output \
  text --query "NetworkAcls[0].Associations[?SubnetId=='$there'].NetworkAclAssociationId")
aws ec2 replace-network-acl-association --association-id "$old" --network-acl-id "$acl" >/dev/null
holds "it does not work: the answer is a packet like any other" meets filtered
show gureum explain "$client" "$server" 8080 >"$notes/why" || true
cat "$notes/why"

say "The ACL also lets out tcp to the ports that clients call from:"
aws ec2 create-network-acl-entry --network-acl-id "$acl" --egress --rule-number 100 \
  --protocol tcp --port-range From=1024,To=65535 --cidr-block 10.77.0.0/16 --rule-action allow
holds "now it works" meets open
on "$server" pkill nc || true
wait
